/// What stands at the end of a page of a store's main file: its checksum.
#pragma once

#include <cstdint>

namespace pawl {

/// The size of every page that pawl makes; files with others have no checksums.
constexpr int page_bytes = 4096;

enum class PageState {
  sound,
  without_checksum,  ///< zeros in its place: another program has written the page
  corrected,         ///< one bit had flipped, and was put right
  damaged,
};

/// Compares a page with its checksum, and puts zeros in the checksum's place if it fits.
///
/// Given: `number`, the page's, from 1, which the checksum holds: a page that is written to
///        another's place is damaged there.
PageState open_page(unsigned char* page, std::int64_t number);

/// What tells a page that is damaged from the same page with other damage.
std::uint64_t page_hash(const unsigned char* page, std::int64_t number);

/// Puts a page's checksum in its place.
void seal_page(unsigned char* page, std::int64_t number);

/// Takes a page as it is: puts zeros in its checksum's place.
void open_unchecked(unsigned char* page);

/// Whether a file has checksums, by its first page.
bool has_checksums(const unsigned char* first_page);

}  // namespace pawl
