// Which runs a store lists: one suite, over the model and over SQLite.
#include "runtime/start_facts.hpp"
#include "support/catch.hpp"
#include "support/store_worlds.hpp"
#include "support/store_writes.hpp"

using namespace pawl;

namespace {

std::string ids(StoreView& store, const RunFilter& filter) {
  std::string text;
  for (const RunRow& row : store.list(filter).value()) text += row.run + " ";
  return text;
}

Write start_of_flow(const std::string& name, const std::string& run) {
  const Flow flow =
      parse_flow(R"({"flow": ")" + name + R"(", "steps": {"a": {"run": "x"}}})").value();
  return StartRun{run,           flow.name(), std::make_shared<const std::string>(flow.canonical()),
                  flow.digest(), "{}",        "/folder"};
}

}  // namespace

#define LIST_TEST(name) TEMPLATE_TEST_CASE("list: " name, "[store]", MemoryWorld, SqliteWorld)

LIST_TEST("by the time of the start, from one moment until before another") {
  TestType world;
  for (int i = 1; i <= 4; ++i) put(*world.store, start_run("r" + std::to_string(i)), 1000 * i);
  RunFilter filter;
  filter.started_from_ms = 2000;
  CHECK(ids(*world.store, filter) == "r4 r3 r2 ");
  filter.started_before_ms = 4000;
  CHECK(ids(*world.store, filter) == "r3 r2 ");
  filter.started_from_ms = 2001;
  CHECK(ids(*world.store, filter) == "r3 ");
  filter.started_from_ms.reset();
  CHECK(ids(*world.store, filter) == "r3 r2 r1 ");
}

LIST_TEST("by the flow's name, in all of its versions") {
  TestType world;
  put(*world.store, start_of_flow("one", "r1"));
  put(*world.store, start_run("r2"));
  put(*world.store, start_run("r3", json::object(), "y"));
  RunFilter filter;
  filter.flow_name = "f";
  CHECK(ids(*world.store, filter) == "r3 r2 ");
  filter.flow_name = "one";
  CHECK(ids(*world.store, filter) == "r1 ");
  filter.flow_name = "on";
  CHECK(ids(*world.store, filter).empty());
}

LIST_TEST("by what the id begins with, letter for letter") {
  TestType world;
  for (const char* run : {"order-1", "order-2", "Order-3", "reorder-4", "order"})
    put(*world.store, start_run(run));
  RunFilter filter;
  filter.id_prefix = "order-";
  CHECK(ids(*world.store, filter) == "order-2 order-1 ");
  filter.id_prefix = "order";
  CHECK(ids(*world.store, filter) == "order order-2 order-1 ");
  for (const char* nobody : {"%", "order_", "order-1x"}) {
    filter.id_prefix = nobody;
    CHECK(ids(*world.store, filter).empty());
  }
}

LIST_TEST("by text in the stored input, byte for byte") {
  TestType world;
  put(*world.store, start_run("r1", {{"sku", "tea"}, {"n", 7}}));
  put(*world.store, start_run("r2", {{"sku", "TEA \xc3\xbc%"}}));
  put(*world.store, start_run("r3"));
  RunFilter filter;
  const auto with = [&](const std::string& text) {
    filter.input_text = text;
    return ids(*world.store, filter);
  };
  CHECK(with("tea") == "r1 ");
  CHECK(with(R"("n":7,"sku":"tea")") == "r1 ");
  CHECK(with("sku") == "r2 r1 ");
  CHECK(with("\xc3\xbc%") == "r2 ");
  CHECK(with("{") == "r3 r2 r1 ");
  CHECK(with("%tea%").empty());
}

LIST_TEST("by labels, with their values") {
  TestType world;
  const auto put_labelled = [&](const std::string& run, const Labels& labels) {
    Write start = start_run(run);
    std::get<StartRun>(start).body = start_body({labels});
    return put(*world.store, start);
  };
  put_labelled("r1", {{"team", "tea"}, {"env", "prod"}});
  put_labelled("r2", {{"team", "tea"}, {"env", "test"}});
  put_labelled("r3", {});
  put_labelled("r4", {{"team", "coffee"}, {"note", R"("team":"tea")"}});
  put_labelled("r5", {{"team", "tea"}});
  RunFilter filter;
  filter.labels = {{"team", "tea"}};
  CHECK(ids(*world.store, filter) == "r5 r2 r1 ");
  filter.limit = 2;
  CHECK(ids(*world.store, filter) == "r5 r2 ");
  filter.before = world.store->load("r5").value()->row.key;
  CHECK(ids(*world.store, filter) == "r2 r1 ");
  filter.labels["env"] = "prod";
  CHECK(ids(*world.store, filter) == "r1 ");
  filter.labels = {{"team", ""}};
  CHECK(ids(*world.store, filter).empty());

  CHECK(world.store->list({}).value().at(1).labels.at("team") == "coffee");
  CHECK(world.store->list({}).value().at(2).labels.empty());
  CHECK(world.store->load("r1").value()->row.labels.size() == 2);
  CHECK(world.open_again()->load("r1").value()->row.labels.size() == 2);
}

LIST_TEST("a start under other labels is the same run, and those of the first start stand") {
  TestType world;
  Write start = start_run("r1");
  std::get<StartRun>(start).body = start_body({{{"team", "tea"}}});
  put(*world.store, start);
  for (const std::string& body : {std::string(), start_body({{{"team", "coffee"}}})}) {
    std::get<StartRun>(start).body = body;
    const WriteReply again = put(*world.store, start);
    CHECK(again.status == WriteStatus::already_exists);
    CHECK(again.stored->body == start_body({{{"team", "tea"}}}));
  }
  CHECK(world.store->list({}).value().at(0).labels == Labels{{"team", "tea"}});
}

LIST_TEST("of all filters at once, and page by page") {
  TestType world;
  for (int i = 0; i < 10; ++i) {
    const std::string run = (i % 2 == 0 ? "even-" : "odd-") + std::to_string(i);
    const RunKey key = put(*world.store, start_run(run, {{"n", i}}), 1000 + i).run;
    if (i != 4) put(*world.store, append(key, ended_record()), 2000);
  }
  RunFilter filter;
  filter.id_prefix = "even-";
  filter.flow_name = "f";
  filter.input_text = "\"n\":";
  filter.started_from_ms = 1001;
  filter.state = RunState::succeeded;
  CHECK(ids(*world.store, filter) == "even-8 even-6 even-2 ");
  filter.limit = 2;
  const std::vector<RunRow> page = world.store->list(filter).value();
  REQUIRE(page.size() == 2);
  filter.before = page.back().key;
  CHECK(ids(*world.store, filter) == "even-2 ");
  CHECK(ids(*world.view(), filter) == "even-2 ");
}
