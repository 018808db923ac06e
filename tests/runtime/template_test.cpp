#include "runtime/template.hpp"

#include "support/catch.hpp"

using namespace pawl;

namespace {

/// A run in which step `list` gave an output and step `later` has not.
struct World {
  json input{{"dir", "src"},
             {"n", 3},
             {"list", {1, {{"deep", "x"}}}},
             {"nothing", nullptr},
             {"odd-name", true}};
  json list_output{{"stdout", "a\nb"}, {"files", {"a", "b"}}};
  std::string run_id = "r1";
  std::vector<const json*> outputs{&list_output, nullptr};

  static Template compile(const json& value, std::vector<Problem>* problems = nullptr) {
    std::vector<Problem> found;
    Template compiled = Template::compile(value, "/steps/s/with", found);
    for (Template::Use& use : compiled.uses())
      use.reference.step_index = use.reference.step == "later" ? 1 : 0;
    if (problems != nullptr)
      *problems = found;
    else
      REQUIRE(found.empty());
    return compiled;
  }

  Result<json> resolve(const json& value, std::size_t bytes_max = 10'000) const {
    return compile(value).resolve({input, run_id, outputs}, bytes_max);
  }
};

}  // namespace

TEST_CASE("template: values without references stay as they are", "[runtime]") {
  const json value = GENERATE(json(nullptr), json(1), json("text } with }} braces {"),
                              json::array({1, {{"a", "b"}}}), json::object());
  CHECK(World().resolve(value).value() == value);
}

TEST_CASE("template: a string that is one reference keeps the type", "[runtime]") {
  World world;
  CHECK(world.resolve("{{input.n}}").value() == 3);
  CHECK(world.resolve("{{ input.list }}").value() == world.input["list"]);
  CHECK(world.resolve("{{input.nothing}}").value() == nullptr);
  CHECK(world.resolve("{{steps.list.output}}").value() == world.list_output);
  CHECK(world.resolve("{{input}}").value() == world.input);
  CHECK(world.resolve("{{run.id}}").value() == "r1");
}

TEST_CASE("template: inside text, strings stay as they are and other values are compact JSON",
          "[runtime]") {
  World world;
  CHECK(world.resolve("in {{input.dir}}: {{input.n}}!").value() == "in src: 3!");
  CHECK(world.resolve("{{input.dir}}{{run.id}}").value() == "srcr1");
  CHECK(world.resolve("x={{input.list}}").value() == R"(x=[1,{"deep":"x"}])");
  CHECK(world.resolve("x={{input.nothing}}").value() == "x=null");
}

TEST_CASE("template: a path goes through members and elements", "[runtime]") {
  World world;
  CHECK(world.resolve("{{steps.list.output.files[1]}}").value() == "b");
  CHECK(world.resolve("{{input.list[1].deep}}").value() == "x");
  CHECK(world.resolve("{{input.odd-name}}").value() == true);
}

TEST_CASE("template: references are replaced anywhere in objects and arrays", "[runtime]") {
  const json value{{"argv", {"tar", "{{input.dir}}"}}, {"deep", {{"x", {{"y", "{{input.n}}"}}}}}};
  CHECK(World().resolve(value).value() ==
        json{{"argv", {"tar", "src"}}, {"deep", {{"x", {{"y", 3}}}}}});
}

TEST_CASE("template: what a value holds is never read as a template", "[runtime]") {
  World world;
  world.input["dir"] = "{{input.n}}";
  CHECK(world.resolve("{{input.dir}}").value() == "{{input.n}}");
  CHECK(world.resolve("<{{input.dir}}>").value() == "<{{input.n}}>");
}

TEST_CASE("template: four braces are two", "[runtime]") {
  CHECK(World().resolve("{{{{input.n}}").value() == "{{input.n}}");
  CHECK(World().resolve("a {{{{ b {{input.n}}").value() == "a {{ b 3");
}

TEST_CASE("template: a path that leads nowhere is an error that names the place", "[runtime]") {
  const std::string text =
      GENERATE("{{input.gone}}", "{{input.n.x}}", "{{input.list[2]}}", "{{input.list.x}}",
               "{{input.dir[0]}}", "{{steps.later.output}}", "{{steps.list.output.gone}}");
  CAPTURE(text);
  const Error error = World().resolve(json{{"a", text}}).error();
  CHECK(error.code == Errc::unresolved_reference);
  CHECK(error.where == "/steps/s/with/a");
}

TEST_CASE("template: a reference with a question mark is null where its path leads nowhere",
          "[runtime]") {
  World world;
  CHECK(world.resolve("{{input.gone?}}").value() == nullptr);
  CHECK(world.resolve("{{steps.later.output.x?}}").value() == nullptr);
  CHECK(world.resolve("{{input.n?}}").value() == 3);
}

TEST_CASE("template: what cannot be read is a problem with its pointer", "[runtime]") {
  const auto [text, code] = GENERATE(table<std::string, std::string>({
      {"{{input.x", "unclosed_template"},
      {"{{}}", "bad_reference"},
      {"{{ }}", "bad_reference"},
      {"{{foo.x}}", "bad_reference"},
      {"{{steps.a}}", "bad_reference"},
      {"{{steps.a.state}}", "bad_reference"},
      {"{{steps}}", "bad_reference"},
      {"{{run}}", "bad_reference"},
      {"{{run.ids}}", "bad_reference"},
      {"{{run.id.x}}", "bad_reference"},
      {"{{input..x}}", "bad_reference"},
      {"{{input.x.}}", "bad_reference"},
      {"{{.input}}", "bad_reference"},
      {"{{input[x]}}", "bad_reference"},
      {"{{input[-1]}}", "bad_reference"},
      {"{{input[1}}", "bad_reference"},
      {"{{input[1]x}}", "bad_reference"},
      {"{{input.a b}}", "bad_reference"},
      {"{{input[99999999999]}}", "bad_reference"},
      {"{{input.x??}}", "bad_reference"},
  }));
  CAPTURE(text);
  std::vector<Problem> problems;
  World::compile(json{{"list", {text}}}, &problems);
  REQUIRE(problems.size() == 1);
  CHECK(problems[0].pointer == "/steps/s/with/list/0");
  CHECK(problems[0].code == code);
}

TEST_CASE("template: expansion stops at its limit before memory is full", "[runtime]") {
  World world;
  world.input["big"] = std::string(1000, 'x');
  json value = json::array();
  for (int i = 0; i < 20; ++i) value.push_back("{{input.big}}");
  CHECK(world.resolve(value, 30'000).has_value());
  CHECK(world.resolve(value, 10'000).error().code == Errc::too_large);
  CHECK(world.resolve("{{input.big}}{{input.big}}", 1500).error().code == Errc::too_large);
}

TEST_CASE("template: uses come in document order", "[runtime]") {
  const Template compiled =
      World::compile(json{{"a", "{{input.n}} {{run.id}}"}, {"b", {"{{steps.later.output}}"}}});
  REQUIRE(compiled.uses().size() == 3);
  CHECK(compiled.uses()[0].reference.text == "input.n");
  CHECK(compiled.uses()[1].reference.text == "run.id");
  CHECK(compiled.uses()[2].reference.step == "later");
  CHECK(compiled.uses()[2].pointer == "/steps/s/with/b/0");
}
