#include "runtime/secret.hpp"

namespace pawl {

Result<Secret> parse_secret(std::string_view text, const std::vector<std::string_view>& roots) {
  std::string expected;
  for (const std::string_view root : roots) {
    expected += (expected.empty() ? "" : " or ") + std::string(root);
    const bool here =
        text.substr(0, root.size()) == root &&
        (text.size() == root.size() || text[root.size()] == '.' || text[root.size()] == '[');
    if (!here) continue;
    // The grammar is that of references; `input` stands in for whichever root the path has.
    Result<Reference> path = parse_reference("input" + std::string(text.substr(root.size())));
    if (!path || path->optional) break;
    return Secret{std::string(root), std::move(path->path)};
  }
  return make_error(Errc::invalid_flow,
                    "\"" + printable_text(text, 80) + "\" is no path below " + expected);
}

json redacted(const json& value, const std::vector<Secret>& secrets, std::string_view root) {
  json shown = value;
  for (const Secret& secret : secrets) {
    if (secret.root != root) continue;
    // `follow` hands out what the copy owns.
    if (const json* hidden = follow(shown, secret.path)) *const_cast<json*>(hidden) = "[secret]";
  }
  return shown;
}

}  // namespace pawl
