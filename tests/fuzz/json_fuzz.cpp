// Text to JSON and back: what is taken comes back as it went in, byte for byte.
#include <pawl/json.hpp>

#include "fuzz/fuzz.hpp"

using namespace pawl;
using fuzz::demand;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  constexpr std::size_t bytes_max = 1 << 20;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const Result<json> value = parse_json(text, bytes_max);
  const json other = json::parse(text, nullptr, false);
  if (!value) {
    demand(!value.error().message.empty() || !value.error().problems.empty(), "a refusal says why");
    demand(is_utf8(value.error().text()), "a refusal is UTF-8 whatever was refused");
    return 0;
  }
  demand(!other.is_discarded() && other == *value, "what is taken means what it means to others");
  demand(text.find('\0') == std::string_view::npos, "nothing is taken for a part of itself");
  const Result<std::string> canonical = canonical_json(*value, bytes_max * 8);
  demand(canonical.has_value(), "what was taken can be written");
  demand(is_utf8(*canonical), "canonical text is UTF-8");
  const Result<json> again = parse_json(*canonical, bytes_max * 8);
  demand(again && *again == *value, "what was written is read as the same value");
  demand(canonical_json(*again, bytes_max * 8).value() == *canonical,
         "equal values have equal text");
  return 0;
}
