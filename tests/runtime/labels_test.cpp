#include <pawl/labels.hpp>
#include <pawl/limits.hpp>
#include <pawl/run_document.hpp>

#include "runtime/start_facts.hpp"
#include "support/catch.hpp"
#include "support/story.hpp"

using namespace pawl;

TEST_CASE("labels: keys are names, values are text, and both have bounds", "[runtime]") {
  CHECK(check_labels({}).has_value());
  CHECK(check_labels({{"team", "tea"}, {"example.org/x_y-1", ""}, {"0", "\xc3\xbc = 1"}})
            .has_value());
  for (const char* key : {"", ".a", "a b", "a=b", "\xc3\xbc", "a\"", "-a"}) {
    CAPTURE(key);
    CHECK(check_labels({{key, "x"}}).error().code == Errc::invalid_argument);
  }
  for (const std::string& value :
       {std::string("a\nb"), std::string(1, '\0'), std::string("\xff"), std::string("\x7f")})
    CHECK(check_labels({{"a", value}}).error().code == Errc::invalid_argument);
  CHECK(check_labels(
            {{std::string(Limits::name_bytes_max, 'k'), std::string(Limits::label_bytes_max, '"')}})
            .has_value());
  CHECK(check_labels({{std::string(Limits::name_bytes_max + 1, 'k'), "x"}}).error().code ==
        Errc::too_large);
  CHECK(check_labels({{"k", std::string(Limits::label_bytes_max + 1, 'x')}}).error().code ==
        Errc::too_large);
  Labels many;
  for (std::size_t i = 0; i < Limits::labels_max; ++i) many["k" + std::to_string(i)] = "";
  CHECK(check_labels(many).has_value());
  many["one"] = "more";
  CHECK(check_labels(many).error().code == Errc::too_large);
}

TEST_CASE("labels: a run has those that are wanted if all are there with their values",
          "[runtime]") {
  const Labels has{{"a", "1"}, {"b", ""}};
  CHECK(has_labels(has, {}));
  CHECK(has_labels(has, {{"a", "1"}}));
  CHECK(has_labels(has, {{"a", "1"}, {"b", ""}}));
  CHECK_FALSE(has_labels(has, {{"a", "2"}}));
  CHECK_FALSE(has_labels(has, {{"a", "1"}, {"c", ""}}));
}

TEST_CASE("start facts: a body comes back as it was written, and says nothing when it is empty",
          "[runtime]") {
  CHECK(start_body({}).empty());
  CHECK(start_facts_from("").value().labels.empty());
  const StartFacts facts{{{"b", "\"2\""}, {"a", "1"}}};
  CHECK(start_body(facts) == R"({"labels":{"a":"1","b":"\"2\""}})");
  CHECK(start_facts_from(start_body(facts)).value().labels == facts.labels);
  CHECK(start_body({{}, {}, {}, -3}) == R"({"priority":-3})");
  CHECK(start_facts_from(R"({"priority":-3})").value().priority == -3);
  CHECK(start_facts_from("").value().priority == 0);
  CHECK(start_facts_from(R"({"priority":"high"})").error().code == Errc::corrupt);
  // A later version may say more.
  CHECK(start_facts_from(R"({"labels":{"a":"1"},"more":[1]})").value().labels.size() == 1);
  CHECK(start_facts_from("{}").value().labels.empty());
  for (const char* bad : {"{", "[]", "7", R"({"labels":7})", R"({"labels":{"a":1}})"})
    CHECK(start_facts_from(bad).error().code == Errc::corrupt);
}

TEST_CASE("document: the run's labels are shown, and damaged ones are told as damage",
          "[runtime]") {
  const std::string flow = R"({"flow": "f", "steps": {"a": {"run": "x"}}})";
  Story story(flow);
  story.started();
  const auto view = [&] {
    return view_run(parse_flow(flow).value(), "r1", json::object(), story.records);
  };
  CHECK(view().value().document["labels"] == json::object());
  story.records[0].body = start_body({{{"team", "tea"}}});
  CHECK(view().value().document["labels"] == json{{"team", "tea"}});
  CHECK(view().value().document["parent"].is_null());
  story.records[0].body = start_body({{}, ParentStep{"p", "each[2]", 1}});
  CHECK(view().value().document["parent"] == json{{"run", "p"}, {"step", "each[2]"}});
  story.records[0].body = "nonsense";
  CHECK(view().error().code == Errc::corrupt);
}
