// A page's checksum: what it is, and what it puts right.
#include "store/page_checksum.hpp"

#include "support/catch.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <random>

using namespace pawl;

namespace {

using Page = std::array<unsigned char, page_bytes>;

constexpr std::size_t content_bytes = page_bytes - 8;

Page random_page(std::uint64_t seed) {
  std::mt19937_64 random(seed);
  Page page{};
  for (std::size_t i = 0; i < content_bytes; ++i) page[i] = static_cast<unsigned char>(random());
  return page;
}

/// The numbers of all bits that are set, added without carry, and in the highest bit whether they
/// are odd in number: bit by bit, as nobody would compute it.
unsigned locator(const Page& page) {
  unsigned sum = 0;
  for (unsigned bit = 0; bit < content_bytes * 8; ++bit)
    if ((page[bit / 8] >> (bit % 8) & 1) != 0) sum ^= bit | 0x8000;
  return sum;
}

}  // namespace

TEST_CASE("page checksum: its last two bytes lead to a bit that has flipped", "[store]") {
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    const Page content = seed == 0 ? Page{} : random_page(seed);
    Page page = content;
    seal_page(page.data(), 7);
    CHECK((page[page_bytes - 2] | page[page_bytes - 1] << 8) == static_cast<int>(locator(content)));
    CHECK(open_page(page.data(), 7) == PageState::sound);
    CHECK(page == content);
  }
}

TEST_CASE("page checksum: every single bit that flips is put right, and no two are", "[store]") {
  const Page content = random_page(1);
  Page sealed = content;
  seal_page(sealed.data(), 7);
  std::size_t corrected = 0;
  std::size_t damaged = 0;
  for (std::size_t bit = 0; bit < content_bytes * 8; ++bit) {
    Page page = sealed;
    page[bit / 8] = static_cast<unsigned char>(page[bit / 8] ^ 1 << (bit % 8));
    Page twice = page;
    corrected += open_page(page.data(), 7) == PageState::corrected && page == content ? 1 : 0;
    const std::size_t other = (bit * 7919 + 13) % (content_bytes * 8);
    if (other == bit) continue;
    twice[other / 8] = static_cast<unsigned char>(twice[other / 8] ^ 1 << (other % 8));
    damaged += open_page(twice.data(), 7) == PageState::damaged ? 1 : 0;
  }
  CHECK(corrected == content_bytes * 8);
  CHECK(damaged >= content_bytes * 8 - 8);
  Page elsewhere = sealed;
  CHECK(open_page(elsewhere.data(), 8) == PageState::damaged);
}
