#include "store/page_checksum.hpp"

#include "store/checked_vfs.hpp"

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

/// Eight words as one, and, kept in sums, those of them whose numbers (0 to 7) have a bit.
struct WordSums {
  std::uint64_t ones = 0;
  std::uint64_t twos = 0;
  std::uint64_t fours = 0;

  /// Given: `word`, which gives the word of a number.
  template <class Word>
  std::uint64_t add(const Word& word) {
    const std::uint64_t w1 = word(1);
    const std::uint64_t w3 = word(3);
    const std::uint64_t w5 = word(5);
    const std::uint64_t w7 = word(7);
    const std::uint64_t w23 = word(2) ^ w3;
    const std::uint64_t w67 = word(6) ^ w7;
    const std::uint64_t w4567 = word(4) ^ w5 ^ w67;
    ones ^= w1 ^ w3 ^ w5 ^ w7;
    twos ^= w23 ^ w67;
    fours ^= w4567;
    return word(0) ^ w1 ^ w23 ^ w4567;
  }

  unsigned parities() const {
    return static_cast<unsigned>(__builtin_parityll(ones)) |
           static_cast<unsigned>(__builtin_parityll(twos)) << 1 |
           static_cast<unsigned>(__builtin_parityll(fours)) << 2;
  }
};

/// The numbers of all bits that are set, added without carry, and in the highest bit whether they
/// are an odd number of bits: where one bit differs, this differs by its number.
std::uint16_t locator_of(const unsigned char* page) {
  constexpr std::size_t words = page_bytes / 8;
  static_assert(words == 8 * 8 * 8 && content_bytes == (words - 1) * 8);
  // The numbers of the words with an odd number of set bits, added without carry. No word is looked
  // at alone: those whose numbers have a bit are added, three bits at a time from the highest, and
  // each eight of them go on as one. Compilers take neighbours at once. The last word is no
  // content.
  std::array<std::uint64_t, words / 8> sums;
  WordSums highest;
  for (std::size_t i = 0; i < sums.size(); ++i)
    sums[i] = highest.add([page, i](std::size_t number) {
      std::uint64_t word = 0;
      std::memcpy(&word, page + (number * (words / 8) + i) * 8, 8);
      return word;
    });
  std::uint64_t last = 0;
  std::memcpy(&last, page + content_bytes, 8);
  for (std::uint64_t* const sum : {&highest.ones, &highest.twos, &highest.fours, &sums.back()})
    *sum ^= last;
  unsigned odd_words = highest.parities() << 6;
  for (const unsigned place : {3U, 0U}) {
    const std::size_t count = std::size_t{1} << place;
    WordSums sums_of_eight;
    for (std::size_t i = 0; i < count; ++i)
      sums[i] = sums_of_eight.add(
          [&sums, i, count](std::size_t number) { return sums[number * count + i]; });
    odd_words |= sums_of_eight.parities() << place;
  }
  const std::uint64_t all = le64toh(sums[0]);  // all words, without carry
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
