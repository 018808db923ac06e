#include <pawl/flow_builder.hpp>
#include <pawl/limits.hpp>

#include <limits>

namespace pawl {

namespace {

/// Writes text for `parse_flow`, and says where a value is that no text could hold.
class Writer {
 public:
  void write(const json& value) {
    if (!value.is_structured()) return write_leaf(value);
    // The reader refuses its parent already.
    if (path_.size() > Limits::json_depth_max) return append("null");
    const bool is_object = value.is_object();
    append(is_object ? "{" : "[");
    bool first = true;
    for (const auto& [key, element] : value.items()) {  // the key of an element is its place
      if (!first) append(",");
      first = false;
      if (is_object)
        open_member(key);
      else
        path_.push_back(&key);
      write(element);
      path_.pop_back();
    }
    append(is_object ? "}" : "]");
  }

  void write_member(const std::string& key, const json& value) {
    open_member(key);
    write(value);
    close_member();
  }

  void open_member(const std::string& key) {
    path_.push_back(&key);
    write_leaf(key);
    append(":");
  }

  void close_member() { path_.pop_back(); }

  void append(const char* text) { text_ += text; }

  const std::string& text() const { return text_; }

  const std::vector<Problem>& problems() const { return problems_; }

 private:
  void write_leaf(const json& value) {
    const Result<std::string> text = canonical_json(value, std::numeric_limits<std::size_t>::max());
    if (text)
      text_ += *text;
    else if (problems_.size() < Limits::problems_max)
      problems_.push_back({pointer(), "syntax", text.error().message});
  }

  std::string pointer() const {
    std::string pointer;
    for (const std::string* key : path_)
      pointer = pointer_to(pointer, printable_text(*key, Limits::name_bytes_max));
    return pointer;
  }

  std::string text_;
  std::vector<const std::string*> path_;  // from the flow to what is being written
  std::vector<Problem> problems_;
};

}  // namespace

FlowBuilder& FlowBuilder::step(std::string name, json members) {
  steps_.emplace_back(std::move(name), std::move(members));
  return *this;
}

json FlowBuilder::document() const {
  json document = members();
  json& steps = document["steps"] = json::object();
  for (const auto& [name, members] : steps_) steps.emplace(name, members);
  return document;
}

Result<Flow> FlowBuilder::build(const StepTypes* types) const {
  // The text is put together here and not by `document`: in it a name can stand twice, so that the
  // reader tells it.
  static const std::string steps = "steps";
  Writer writer;
  writer.append("{");
  for (const auto& [member, value] : members().items()) {
    writer.write_member(member, value);
    writer.append(",");
  }
  writer.open_member(steps);
  writer.append("{");
  for (std::size_t i = 0; i < steps_.size(); ++i) {
    if (i > 0) writer.append(",");
    writer.write_member(steps_[i].first, steps_[i].second);
  }
  writer.close_member();
  writer.append("}}");
  if (writer.problems().empty()) return parse_flow(writer.text(), types);
  return Error{
      Errc::invalid_flow, "the flow holds values that JSON has not", {}, writer.problems()};
}

}  // namespace pawl
