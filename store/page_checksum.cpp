#include "store/page_checksum.hpp"

#include "store/checked_vfs.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>
#include <endian.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace pawl {

namespace {

constexpr std::size_t content_bytes = page_bytes - page_checksum_bytes;

/// The eight bytes: 48 bits of XXH3-64, which tell that the page is sound, and 16 that lead to a
/// bit that has flipped. All zeros where there are none.
struct Checksum {
  std::uint64_t hash = 0;  ///< below 2^48, never 0
  std::uint16_t locator = 0;
};

std::uint64_t hash_of(const unsigned char* page, std::int64_t number) {
  const std::uint64_t hash =
      XXH3_64bits_withSeed(page, content_bytes, static_cast<XXH64_hash_t>(number)) &
      0xffff'ffff'ffff;
  return hash == 0 ? 1 : hash;
}

/// The numbers of all bits that are set, added without carry, and in the highest bit whether they
/// are an odd number of bits: where one bit differs, this differs by its number.
std::uint16_t locator_of(const unsigned char* page) {
  static_assert(content_bytes % 8 == 0 && content_bytes * 8 < 0x8000);
  std::array<std::uint64_t, page_bytes / 8> words;
  static_assert(words.size() == 8 * 8 * 8);
  std::memcpy(words.data(), page, content_bytes);
  std::fill(words.begin() + content_bytes / 8, words.end(), 0);
  // The numbers of the words with an odd number of set bits, added without carry. No word is looked
  // at alone: three bits of the numbers at a time, those that have the bit are added, and each
  // eight of them go on as one.
  unsigned odd_words = 0;
  std::size_t count = words.size();
  for (unsigned place = 0; count > 1; place += 3) {
    count /= 8;
    std::uint64_t ones = 0;
    std::uint64_t twos = 0;
    std::uint64_t fours = 0;
    for (std::size_t i = 0; i < count; ++i) {
      const std::uint64_t* const w = &words[i * 8];
      const std::uint64_t w23 = w[2] ^ w[3];
      const std::uint64_t w67 = w[6] ^ w[7];
      const std::uint64_t w4567 = w[4] ^ w[5] ^ w67;
      ones ^= w[1] ^ w[3] ^ w[5] ^ w[7];
      twos ^= w23 ^ w67;
      fours ^= w4567;
      words[i] = w[0] ^ w[1] ^ w23 ^ w4567;
    }
    odd_words |= static_cast<unsigned>(__builtin_parityll(ones)) << place |
                 static_cast<unsigned>(__builtin_parityll(twos)) << (place + 1) |
                 static_cast<unsigned>(__builtin_parityll(fours)) << (place + 2);
  }
  const std::uint64_t all = le64toh(words[0]);  // all words, without carry
  constexpr std::uint64_t bits_with[] = {0xaaaa'aaaa'aaaa'aaaa, 0xcccc'cccc'cccc'cccc,
                                         0xf0f0'f0f0'f0f0'f0f0, 0xff00'ff00'ff00'ff00,
                                         0xffff'0000'ffff'0000, 0xffff'ffff'0000'0000};
  unsigned locator = odd_words << 6;
  for (unsigned i = 0; i < 6; ++i)
    locator |= static_cast<unsigned>(__builtin_parityll(all & bits_with[i])) << i;
  return static_cast<std::uint16_t>(locator | static_cast<unsigned>(__builtin_parityll(all)) << 15);
}

Checksum stored_in(const unsigned char* page) {
  std::uint64_t bytes = 0;
  std::memcpy(&bytes, page + content_bytes, 8);
  bytes = le64toh(bytes);
  return {bytes & 0xffff'ffff'ffff, static_cast<std::uint16_t>(bytes >> 48)};
}

/// Puts the one bit right without which the page does not fit its checksum, if there is one.
bool correct(unsigned char* page, std::int64_t number, const Checksum& stored) {
  const unsigned led_by = static_cast<unsigned>(locator_of(page)) ^ stored.locator;
  if (led_by == 0) {  // then it is one of the hash's own bits
    const std::uint64_t difference = hash_of(page, number) ^ stored.hash;
    return (difference & (difference - 1)) == 0;
  }
  const std::size_t bit = led_by & 0x7fff;
  if ((led_by & 0x8000) == 0 || bit >= content_bytes * 8) return false;
  const auto mask = static_cast<unsigned char>(1u << (bit % 8));
  unsigned char& byte = page[bit / 8];
  byte = static_cast<unsigned char>(byte ^ mask);
  if (hash_of(page, number) == stored.hash) return true;
  byte = static_cast<unsigned char>(byte ^ mask);
  return false;
}

}  // namespace

PageState open_page(unsigned char* page, std::int64_t number) {
  const Checksum stored = stored_in(page);
  if (stored.hash == 0 && stored.locator == 0) return PageState::without_checksum;
  PageState state = PageState::sound;
  if (hash_of(page, number) != stored.hash) {
    if (!correct(page, number, stored)) return PageState::damaged;
    state = PageState::corrected;
  }
  open_unchecked(page);
  return state;
}

void open_unchecked(unsigned char* page) {
  std::memset(page + content_bytes, 0, page_checksum_bytes);
}

std::uint64_t page_hash(const unsigned char* page, std::int64_t number) {
  return hash_of(page, number);
}

void seal_page(unsigned char* page, std::int64_t number) {
  const std::uint64_t bytes =
      htole64(hash_of(page, number) | std::uint64_t{locator_of(page)} << 48);
  std::memcpy(page + content_bytes, &bytes, 8);
}

bool has_checksums(const unsigned char* first_page) {
  const int size = first_page[16] << 8 | first_page[17];
  return std::memcmp(first_page, "SQLite format 3", 16) == 0 && size == page_bytes &&
         first_page[20] == page_checksum_bytes;
}

}  // namespace pawl
