#include "runtime/template.hpp"

#include "runtime/mutant.hpp"

#include <utility>

namespace pawl {

namespace {

constexpr std::string_view literal_braces = "{{{{";

/// The value that `reference` names; null when it is optional and names nothing.
Result<json> look_up(const Reference& reference, const Scope& scope, const std::string& pointer) {
  const json* found = nullptr;
  switch (reference.root) {
    case Reference::Root::run_id: return json(scope.run_id);
    case Reference::Root::index: return json(scope.index);
    case Reference::Root::item:
      if (scope.item != nullptr) found = follow(*scope.item, reference.path);
      break;
    case Reference::Root::output:
      if (scope.output != nullptr) found = follow(*scope.output, reference.path);
      break;
    case Reference::Root::input: found = follow(scope.input, reference.path); break;
    case Reference::Root::step_output: {
      const json* output = scope.outputs[reference.step_index];
      if (output != nullptr) found = follow(*output, reference.path);
      break;
    }
  }
  if (found != nullptr) return *found;
  if (reference.optional) return json(nullptr);
  return make_error(
      Errc::unresolved_reference,
      "{{" + reference.text + "}} names nothing; write {{" + reference.text + "?}} if null will do",
      pointer);
}

}  // namespace

// Templates must not multiply a large value until memory is full.
std::size_t rough_size(const json& value, std::size_t enough) {
  if (value.is_string()) return value.get_ref<const std::string&>().size() + 2;
  if (!value.is_structured()) return 1;
  std::size_t size = 2;
  for (const auto& [key, element] : value.items()) {
    size += (value.is_object() ? key.size() + 4 : 1) + rough_size(element, enough);
    if (size > enough) return size;
  }
  return size;
}

Template Template::compile(json value, const std::string& pointer, std::vector<Problem>& problems) {
  Template compiled;
  compiled.compile_value(value, json::json_pointer(), pointer, problems);
  compiled.value_ = std::move(value);
  return compiled;
}

void Template::compile_value(const json& value, const json::json_pointer& at,
                             const std::string& pointer, std::vector<Problem>& problems) {
  if (value.is_string()) {
    compile_string(value.get_ref<const std::string&>(), at, pointer, problems);
  } else if (value.is_array()) {
    for (std::size_t i = 0; i < value.size(); ++i)
      compile_value(value[i], at / i, pointer_to(pointer, std::to_string(i)), problems);
  } else if (value.is_object()) {
    for (const auto& [key, element] : value.items())
      compile_value(element, at / key, pointer_to(pointer, key), problems);
  }
}

void Template::compile_string(const std::string& text, const json::json_pointer& at,
                              const std::string& pointer, std::vector<Problem>& problems) {
  std::vector<Piece> pieces;
  std::string literal;
  std::size_t from = 0;
  for (;;) {
    const auto open = text.find("{{", from);
    if (open == std::string::npos) break;
    literal.append(text, from, open - from);
    if (text.compare(open, literal_braces.size(), literal_braces) == 0) {
      literal += "{{";
      from = open + literal_braces.size();
      continue;
    }
    const auto close = text.find("}}", open + 2);
    if (close == std::string::npos) {
      problems.push_back(
          {pointer, "unclosed_template", "{{ is not closed by }}; a literal {{ is written {{{{"});
      return;
    }
    Result<Reference> reference =
        parse_reference(std::string_view(text).substr(open + 2, close - open - 2));
    if (!reference) {
      problems.push_back({pointer, "bad_reference", reference.error().message});
      return;
    }
    if (!literal.empty()) pieces.emplace_back(std::in_place_index<0>, std::exchange(literal, {}));
    pieces.emplace_back(std::in_place_index<1>, uses_.size());
    uses_.push_back({std::move(*reference), pointer});
    from = close + 2;
  }
  if (from == 0) return;  // plain text: nothing to replace
  literal.append(text, from, std::string::npos);
  if (!literal.empty() || pieces.empty())
    pieces.emplace_back(std::in_place_index<0>, std::move(literal));
  spots_.push_back({at, std::move(pieces)});
}

Result<json> Template::resolve(const Scope& scope, std::size_t bytes_max) const {
  json resolved = value_;
  std::size_t bytes = 0;
  for (const Spot& spot : spots_) {
    const bool keeps_type = spot.pieces.size() == 1 && spot.pieces.front().index() == 1;
    std::string text;
    for (const Piece& piece : spot.pieces) {
      if (const auto* literal = std::get_if<0>(&piece)) {
        text += *literal;
        continue;
      }
      const Use& use = uses_[std::get<1>(piece)];
      Result<json> value = look_up(use.reference, scope, use.pointer);
      if (!value) return value.error();
      bytes += rough_size(*value, bytes_max);
      if (bytes > bytes_max && !mutant("input_template_unbounded"))
        return make_error(
            Errc::too_large,
            "the templates here resolve to more than " + std::to_string(bytes_max) + " bytes",
            use.pointer);
      if (keeps_type)
        resolved[spot.at] = std::move(*value);
      else if (value->is_string())
        text += value->get_ref<const std::string&>();
      else
        text += value->dump();
    }
    if (!keeps_type) resolved[spot.at] = std::move(text);
  }
  return resolved;
}

}  // namespace pawl
