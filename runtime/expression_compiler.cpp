// How an expression's JSON becomes an Expression; expression.cpp evaluates it.
#include "runtime/expression.hpp"
#include "runtime/nearest_name.hpp"

#include <re2/re2.h>
#include <utility>

namespace pawl {

class Expression::Compiler {
 public:
  explicit Compiler(std::vector<Problem>& problems, bool of_element = false)
      : problems_(problems), in_list_(of_element ? 1 : 0) {}

  Expression value(const json& from, const std::string& pointer) {
    Expression made;
    made.pointer_ = pointer;
    if (from.is_array()) {
      made.op_ = Op::array;
      add_elements(made, from, pointer);
    } else if (is_operator(from)) {
      value_operator(made, from.begin().key(), from.begin().value(),
                     pointer_to(pointer, from.begin().key()));
    } else if (from.is_object()) {
      made.op_ = Op::object;
      for (const auto& [key, member] : from.items()) {
        made.keys_.push_back(key.substr(0, 2) == "$$" ? key.substr(1) : key);
        if (key.substr(0, 2) == "$$" && from.contains(made.keys_.back()))
          complain(pointer_to(pointer, key), "duplicate_key",
                   "\"" + printable_text(made.keys_.back(), 80) + "\" stands here twice");
        if (key.size() > 1 && key[0] == '$' && key[1] != '$')
          complain(pointer_to(pointer, key), "bad_operator",
                   "an operator stands alone in its object; a member whose name begins with $ is "
                   "written $$");
        made.operands_.push_back(value(member, pointer_to(pointer, key)));
      }
    } else {
      leaf(made, from, pointer);
    }
    return made;
  }

  Expression condition(const json& from, const std::string& pointer) {
    Expression made;
    made.pointer_ = pointer;
    if (!from.is_object() || from.size() != 1) {
      complain(pointer, "bad_condition",
               "a condition is an object with one of " + list(condition_names()));
      return made;
    }
    const std::string& name = from.begin().key();
    const json& operand = from.begin().value();
    const std::string at = pointer_to(pointer, name);
    if (name == "exists") {
      made.op_ = Op::exists;
      ++optional_;  // what names nothing does not exist
      made.operands_.push_back(value(operand, at));
      --optional_;
    } else if (name == "equals" || name == "less") {
      made.op_ = name == "equals" ? Op::equals : Op::less;
      if (expect_array(operand, 2, 2, at)) add_elements(made, operand, at);
    } else if (name == "matches") {
      matches(made, operand, at);
    } else if (name == "not") {
      made.op_ = Op::negate;
      made.operands_.push_back(condition(operand, at));
    } else if (name == "all" || name == "any") {
      made.op_ = name == "all" ? Op::all : Op::any;
      if (expect_array(operand, 1, operand.size(), at))
        for (std::size_t i = 0; i < operand.size(); ++i)
          made.operands_.push_back(condition(operand[i], pointer_to(at, std::to_string(i))));
    } else {
      complain(at, "bad_condition",
               "no condition \"" + printable_text(name, 80) + "\" is known" +
                   did_you_mean(name, condition_names()));
    }
    return made;
  }

 private:
  using Names = std::vector<std::string_view>;

  static const Names& condition_names() {
    static const Names names{"exists", "equals", "less", "matches", "not", "all", "any"};
    return names;
  }

  static const std::vector<std::pair<std::string_view, Op>>& arithmetic() {
    static const std::vector<std::pair<std::string_view, Op>> ops{{"$add", Op::add},
                                                                  {"$subtract", Op::subtract},
                                                                  {"$multiply", Op::multiply},
                                                                  {"$divide", Op::divide},
                                                                  {"$remainder", Op::remainder}};
    return ops;
  }

  static bool is_operator(const json& from) {
    if (!from.is_object() || from.size() != 1) return false;
    const std::string& key = from.begin().key();
    return key.size() > 1 && key[0] == '$' && key[1] != '$';
  }

  static std::string list(const Names& names) {
    std::string all;
    for (const std::string_view name : names) all += (all.empty() ? "" : ", ") + std::string(name);
    return all;
  }

  void complain(const std::string& pointer, const char* code, std::string message) {
    problems_.push_back({pointer, code, std::move(message)});
  }

  bool expect_array(const json& operand, std::size_t min, std::size_t max,
                    const std::string& pointer) {
    if (operand.is_array() && operand.size() >= min && operand.size() <= max) return true;
    complain(pointer, "bad_operands",
             "expected an array of " + std::to_string(min) + (min == max ? "" : " or more") +
                 " operands");
    return false;
  }

  void add_elements(Expression& to, const json& array, const std::string& pointer) {
    for (std::size_t i = 0; i < array.size(); ++i)
      to.operands_.push_back(value(array[i], pointer_to(pointer, std::to_string(i))));
  }

  void leaf(Expression& made, const json& from, const std::string& pointer) {
    made.op_ = Op::leaf;
    made.leaf_ = Template::compile(from, pointer, problems_);
    for (Template::Use& use : made.leaf_.uses()) {
      if (optional_ > 0) use.reference.optional = true;
      const bool of_element = use.reference.root == Reference::Root::item ||
                              use.reference.root == Reference::Root::index;
      if (of_element && in_list_ == 0)
        complain(use.pointer, "bad_reference",
                 "{{" + use.reference.text +
                     "}}: item and index have a meaning only within $map's \"to\" and $filter's "
                     "\"where\", and in a step with \"map\"");
    }
  }

  void matches(Expression& made, const json& operand, const std::string& at) {
    made.op_ = Op::matches;
    if (!expect_array(operand, 2, 2, at)) return;
    made.operands_.push_back(value(operand[0], pointer_to(at, "0")));
    const std::string pattern_at = pointer_to(at, "1");
    if (!operand[1].is_string() ||
        operand[1].get_ref<const std::string&>().find("{{") != std::string::npos)
      return complain(pattern_at, "bad_pattern", "a pattern is a string, and no template");
    RE2::Options options(RE2::Quiet);
    options.set_max_mem(1 << 20);
    auto pattern = std::make_shared<const RE2>(operand[1].get_ref<const std::string&>(), options);
    if (!pattern->ok())
      return complain(pattern_at, "bad_pattern", "the pattern is not one: " + pattern->error());
    made.pattern_ = std::move(pattern);
  }

  void value_operator(Expression& made, const std::string& name, const json& operand,
                      const std::string& at) {
    if (name == "$map") return over_list(made, Op::map, "to", operand, at);
    if (name == "$filter") return over_list(made, Op::filter, "where", operand, at);
    if (name == "$flatten" || name == "$length") {
      made.op_ = name == "$flatten" ? Op::flatten : Op::length;
      made.operands_.push_back(value(operand, at));
      return;
    }
    for (const auto& [known, op] : arithmetic()) {
      if (known != name) continue;
      made.op_ = op;
      const bool any_number = op == Op::add || op == Op::multiply;
      if (expect_array(operand, 2, any_number ? std::max<std::size_t>(operand.size(), 2) : 2, at))
        add_elements(made, operand, at);
      return;
    }
    Names names{"$map", "$filter", "$flatten", "$length"};
    for (const auto& [known, op] : arithmetic()) names.push_back(known);
    complain(at, "bad_operator",
             "no operator \"" + printable_text(name, 80) + "\" is known" +
                 did_you_mean(name, names) + "; a member whose name begins with $ is written $$");
  }

  void over_list(Expression& made, Op op, const char* what, const json& operand,
                 const std::string& at) {
    made.op_ = op;
    if (!operand.is_object() || operand.size() != 2 || !operand.contains("over") ||
        !operand.contains(what))
      return complain(at, "bad_operands",
                      std::string("expected an object with \"over\" and \"") + what + "\"");
    made.operands_.push_back(value(operand["over"], pointer_to(at, "over")));
    ++in_list_;
    made.operands_.push_back(op == Op::map ? value(operand[what], pointer_to(at, what))
                                           : condition(operand[what], pointer_to(at, what)));
    --in_list_;
  }

  std::vector<Problem>& problems_;
  int optional_ = 0;
  int in_list_;
};

Expression Expression::compile_value(const json& value, const std::string& pointer,
                                     std::vector<Problem>& problems, bool of_element) {
  return Compiler(problems, of_element).value(value, pointer);
}

Expression Expression::compile_condition(const json& condition, const std::string& pointer,
                                         std::vector<Problem>& problems) {
  return Compiler(problems).condition(condition, pointer);
}

void Expression::each_use(const std::function<void(Template::Use&)>& visit) {
  for (Template::Use& use : leaf_.uses()) visit(use);
  for (Expression& operand : operands_) operand.each_use(visit);
}

void Expression::each_use(const std::function<void(const Template::Use&)>& visit) const {
  for (const Template::Use& use : leaf_.uses()) visit(use);
  for (const Expression& operand : operands_) operand.each_use(visit);
}

}  // namespace pawl
