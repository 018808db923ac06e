#include "runtime/turn_key.hpp"

#include <pawl/limits.hpp>

namespace pawl {

Result<std::optional<std::string>> resolve_turn_key(const Template& written, const Scope& scope) {
  const Result<json> key = written.resolve(scope, Limits::with_bytes_max);
  if (!key) return key.error();
  if (!key->is_string() && !key->is_number())
    return make_error(Errc::invalid_argument,
                      std::string("a key is a string or a number; this one is ") +
                          (key->is_boolean() || key->is_null() ? "" : "an ") + key->type_name() +
                          ": refer to a part of it, or put text beside the reference");
  std::string text = key->is_string() ? key->get<std::string>() : key->dump();
  if (text.size() > Limits::turn_key_bytes_max)
    return make_error(Errc::too_large,
                      "the key has " + std::to_string(text.size()) + " bytes; at most " +
                          std::to_string(Limits::turn_key_bytes_max) +
                          " are allowed: use a part of it that is enough to tell them apart");
  return std::optional<std::string>(std::move(text));
}

}  // namespace pawl
