/// Digest: 128 bits that tell equal bytes from different ones.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace pawl {

/// An XXH3-128 digest. Finds accidents and differences; no defence against somebody who forges
/// bytes.
///
/// Source: the xxHash specification, canonical (big-endian) form.
struct Digest {
  std::array<std::uint8_t, 16> bytes{};

  bool operator==(const Digest& other) const { return bytes == other.bytes; }

  bool operator!=(const Digest& other) const { return bytes != other.bytes; }

  bool operator<(const Digest& other) const { return bytes < other.bytes; }

  /// 32 hexadecimal digits.
  std::string hex() const;
};

Digest digest_of(std::string_view bytes);

/// Reads `Digest::hex` back; nothing for other text.
std::optional<Digest> digest_from_hex(std::string_view text);

}  // namespace pawl
