/// Base64, RFC 4648 §4, for bytes that are no text.
#pragma once

#include <string>
#include <string_view>

namespace pawl::tools {

std::string base64(std::string_view bytes);

}  // namespace pawl::tools
