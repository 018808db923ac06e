#include "runtime/reference.hpp"

#include <pawl/limits.hpp>

#include <limits>
#include <utility>

namespace pawl {

namespace {

constexpr std::size_t no_index = std::numeric_limits<std::size_t>::max();

std::string_view trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1);
}

Error bad_reference(std::string_view text, const std::string& why) {
  return make_error(Errc::invalid_flow, "{{" + printable_text(text, 100) + "}}: " + why);
}

/// Reads digits up to `]`; `no_index` when they are no index.
std::size_t parse_index(std::string_view digits) {
  if (digits.empty() || digits.size() > 9) return no_index;
  std::size_t index = 0;
  for (const char c : digits) {
    if (c < '0' || c > '9') return no_index;
    index = index * 10 + static_cast<std::size_t>(c - '0');
  }
  return index;
}

/// Splits `a.b[0].c` into its segments; the first one needs no dot.
Result<std::vector<PathSegment>> parse_path(std::string_view text) {
  std::vector<PathSegment> path;
  std::size_t at = 0;
  while (at < text.size()) {
    if (text[at] == '[') {
      const auto end = text.find(']', at);
      const std::size_t index =
          end == std::string_view::npos ? no_index : parse_index(text.substr(at + 1, end - at - 1));
      if (index == no_index) return bad_reference(text, "after [ comes an index and ], as in [0]");
      path.emplace_back(std::in_place_type<std::size_t>, index);
      at = end + 1;
      continue;
    }
    if (text[at] == '.') {
      if (at == 0) return bad_reference(text, "it begins with a dot");
      ++at;
    } else if (at != 0) {
      return bad_reference(text, "after ] comes . or [");
    }
    const auto end = std::min(text.find_first_of(".[", at), text.size());
    const std::string_view name = text.substr(at, end - at);
    if (name.empty()) return bad_reference(text, "a name is missing after a dot");
    if (name.find_first_of(" \t\r\n{}]?\"'") != std::string_view::npos)
      return bad_reference(text, "the name \"" + printable_text(name, 60) +
                                     "\" has a blank, a quote or a bracket in it");
    path.emplace_back(std::in_place_type<std::string>, name);
    at = end;
  }
  return path;
}

/// RFC 6901: `/a~1b/0`.
Result<std::vector<PathSegment>> parse_pointer(std::string_view pointer, std::string_view text) {
  std::vector<PathSegment> path;
  if (pointer.empty() || pointer.front() != '/')
    return bad_reference(text, "a JSON pointer begins with /");
  for (std::size_t at = 0; at < pointer.size();) {
    const auto end = std::min(pointer.find('/', at + 1), pointer.size());
    std::string name;
    for (std::size_t i = at + 1; i < end; ++i) {
      if (pointer[i] != '~') {
        name += pointer[i];
        continue;
      }
      const char next = i + 1 < end ? pointer[++i] : '\0';
      if (next != '0' && next != '1')
        return bad_reference(text, "in a JSON pointer ~ is followed by 0 or 1");
      name += next == '0' ? '~' : '/';
    }
    path.emplace_back(std::in_place_type<std::string>, std::move(name));
    at = end;
  }
  return path;
}

bool is_name(const std::vector<PathSegment>& path, std::size_t at, std::string_view name) {
  const auto* text = at < path.size() ? std::get_if<std::string>(&path[at]) : nullptr;
  return text != nullptr && *text == name;
}

}  // namespace

Result<Reference> parse_reference(std::string_view text) {
  Reference reference;
  text = trimmed(text);
  reference.text = std::string(text);
  std::string_view body = text;
  if (!body.empty() && body.back() == '?') {
    reference.optional = true;
    body = trimmed(body.substr(0, body.size() - 1));
  }
  if (body.empty())
    return bad_reference(text, "it names nothing; write input.NAME or steps.NAME.output");
  // Members with odd names are reached by a JSON pointer: input#/a b/0.
  const auto hash = body.find("#/");
  Result<std::vector<PathSegment>> parsed = parse_path(body.substr(0, hash));
  if (!parsed) return parsed.error();
  std::vector<PathSegment>& path = *parsed;
  if (hash != std::string_view::npos) {
    Result<std::vector<PathSegment>> below = parse_pointer(body.substr(hash + 1), text);
    if (!below) return below.error();
    path.insert(path.end(), below->begin(), below->end());
  }

  std::size_t used = 0;
  if (is_name(path, 0, "input")) {
    reference.root = Reference::Root::input;
    used = 1;
  } else if (is_name(path, 0, "item")) {
    reference.root = Reference::Root::item;
    used = 1;
  } else if (is_name(path, 0, "index")) {
    if (path.size() != 1) return bad_reference(text, "an index is a number and has no members");
    reference.root = Reference::Root::index;
    used = 1;
  } else if (is_name(path, 0, "output")) {
    reference.root = Reference::Root::output;
    used = 1;
  } else if (is_name(path, 0, "run")) {
    if (!is_name(path, 1, "id") || path.size() != 2)
      return bad_reference(text, "of the run there is only run.id");
    reference.root = Reference::Root::run_id;
    used = 2;
  } else if (is_name(path, 0, "steps")) {
    const auto* step = path.size() > 1 ? std::get_if<std::string>(&path[1]) : nullptr;
    if (step == nullptr || !is_name(path, 2, "output"))
      return bad_reference(text, "of a step there is its output: steps.NAME.output");
    reference.root = Reference::Root::step_output;
    reference.step = *step;
    used = 3;
  } else {
    return bad_reference(text, "it begins with none of input, steps and run");
  }
  path.erase(path.begin(), path.begin() + static_cast<std::ptrdiff_t>(used));
  reference.path = std::move(path);
  return reference;
}

const json* follow(const json& value, const std::vector<PathSegment>& path) {
  const json* at = &value;
  for (const PathSegment& segment : path) {
    if (const auto* name = std::get_if<std::string>(&segment)) {
      if (at->is_array()) {
        const std::size_t index = parse_index(*name);
        if (index >= at->size()) return nullptr;
        at = &(*at)[index];
        continue;
      }
      if (!at->is_object()) return nullptr;
      const auto member = at->find(*name);
      if (member == at->end()) return nullptr;
      at = &*member;
    } else {
      const std::size_t index = std::get<std::size_t>(segment);
      if (!at->is_array() || index >= at->size()) return nullptr;
      at = &(*at)[index];
    }
  }
  return at;
}

}  // namespace pawl
