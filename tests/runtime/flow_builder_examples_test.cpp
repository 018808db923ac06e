// The flows of examples/flows, written in C++.
#include <pawl/flow_builder.hpp>

#include "support/catch.hpp"

#include <filesystem>
#include <map>

namespace flow_builder_examples_test {

using namespace pawl;
using namespace pawl::flows;

namespace {

FlowBuilder hello() {
  return FlowBuilder("hello")
      .input({{"name", "world"}})
      .step(task("greet", "echo").with({{"text", "hello, {{input.name}}"}}))
      .output("{{steps.greet.output.text}}");
}

Task thumbnail(const std::string& name, int width) {
  return task(name, "echo").with({{"of", "{{steps.upload.output.file}}"}, {"width", width}});
}

FlowBuilder fork_join() {
  return FlowBuilder("fork_join")
      .description("Three thumbnails at once, and an album of them.")
      .input({{"photo", "cat.png"}})
      .step(task("upload", "echo").with({{"file", "{{input.photo}}"}}))
      .step(thumbnail("small", 64))
      .step(thumbnail("medium", 256))
      .step(thumbnail("large", 1024))
      .step(task("album", "echo")
                .with({{"photos",
                        {"{{steps.small.output}}", "{{steps.medium.output}}",
                         "{{steps.large.output}}"}}}))
      .output({{"widths",
                {"{{steps.small.output.width}}", "{{steps.medium.output.width}}",
                 "{{steps.large.output.width}}"}}});
}

FlowBuilder order() {
  return FlowBuilder("order")
      .description(
          "The order of order_flow.cpp, for programs that have these step types, and for pawl "
          "crash-test, which needs none.")
      .input({{"sku", "tea"}})
      .step(task("price", "price").with({{"tea", 420}, {"parcel", 80}}))
      .step(task("charge", "charge").with({{"cents", "{{steps.price.output}}"}}).retry({5, 20}))
      .step(task("ship", "ship")
                .with({{"sku", "{{input.sku}}"}, {"receipt", "{{steps.charge.output.receipt}}"}}))
      .output("{{steps.ship.output}}");
}

FlowBuilder saga() {
  return FlowBuilder("saga")
      .description(
          "An order that is undone as carefully as it was made: what was reserved, charged and "
          "shipped is taken back, the latest first, when a later step fails or a person says no.")
      .input({{"order", "4711"},
              {"cents", 12900},
              {"lines", {{{"sku", "tea"}, {"pieces", 2}}, {{"sku", "pot"}, {"pieces", 1}}}}})
      .step(map("reserve", "echo", "{{input.lines}}")
                .max_parallel(2)
                .with({{"reservation", "{{input.order}}-{{index}}"},
                       {"sku", "{{item.sku}}"},
                       {"pieces", "{{item.pieces}}"}})
                .undo("echo", {{"release", "{{output.reservation}}"}}))
      .step(task("charge", "echo")
                .after("reserve")
                .with({{"charge", "{{input.order}}-pay"}, {"cents", "{{input.cents}}"}})
                .retry({5})
                .undo(undo("echo")
                          .with({{"refund", "{{output.charge}}"}, {"cents", "{{output.cents}}"}})
                          .retry({10})))
      .step(await("answer", "answer")
                .after("charge")
                .timeout_ms(86'400'000)
                .default_output({{"ok", false}, {"by", "nobody"}}))
      .step(branch("approved", {{"equals", {"{{steps.answer.output.ok}}", true}}}))
      .step(fail("refuse",
                 "order {{input.order}} was not approved; it was asked of "
                 "{{steps.answer.output.by}}")
                .unless("approved"))
      .step(
          task("ship", "echo")
              .when("approved")
              .with({{"parcel", "{{steps.reserve.output}}"}, {"by", "{{steps.answer.output.by}}"}}))
      .output({{"parcel", "{{steps.ship.output?}}"}, {"charge", "{{steps.charge.output.charge}}"}});
}

FlowBuilder import() {
  const auto kept = [](const char* reference) {
    return json{
        {"$filter", {{"over", "{{steps.fetch.output}}"}, {"where", {{"exists", reference}}}}}};
  };
  return FlowBuilder("import")
      .description(
          "A nightly import: every file is fetched on its own, three at a time; what cannot be "
          "read is reported and does not stop the others; old files are left out.")
      .input({{"folder", "."},
              {"keep_days", 30},
              {"files",
               {{{"name", "a.csv"}, {"age_days", 1}},
                {{"name", "b.csv"}, {"age_days", 90}},
                {{"name", "c.csv"}, {"age_days", 2}}}}})
      .step(
          value("fresh", {{"$filter",
                           {{"over", "{{input.files}}"},
                            {"where", {{"less", {"{{item.age_days}}", "{{input.keep_days}}"}}}}}}}))
      .step(map("fetch", "file.read", "{{steps.fresh.output}}")
                .max_parallel(3)
                .collect_errors()
                .with({{"path", "{{input.folder}}/{{item.name}}"}})
                .timeout_ms(60'000)
                .retry({2, 10}))
      .step(value("good", kept("{{item.output?}}")))
      .step(value("bad", kept("{{item.error?}}")))
      .step(branch("some_bad", {{"less", {0, {{"$length", "{{steps.bad.output}}"}}}}}))
      .step(task("report", "echo").when("some_bad").with({{"not_read", "{{steps.bad.output}}"}}))
      .step(task("load", "echo")
                .with({{"rows", "{{steps.good.output}}"}})
                .undo("echo", {{"unload", "{{output.rows}}"}}))
      .output(
          {{"read", {{"of", "{{steps.fresh.output}}"}, {"failed", "{{steps.report.output?}}"}}}});
}

FlowBuilder approval() {
  return FlowBuilder("approval")
      .description(
          "An order: large ones wait for a person, small ones go through; nobody's answer means "
          "no.")
      .input({{"order", "4711"},
              {"lines",
               {{{"item", "bolt"}, {"cents", 250}, {"pieces", 40}},
                {{"item", "nut"}, {"cents", 90}, {"pieces", 10}}}},
              {"limit_cents", 5000}})
      .step(value("costs", {{"$map",
                             {{"over", "{{input.lines}}"},
                              {"to", {{"$multiply", {"{{item.cents}}", "{{item.pieces}}"}}}}}}}))
      .step(branch("large", {{"less", {"{{input.limit_cents}}", "{{steps.costs.output[0]}}"}}}))
      .step(task("ask", "echo")
                .when("large")
                .with({{"question",
                        "order {{input.order}} costs {{steps.costs.output[0]}} cents or more: "
                        "approve?"}}))
      .step(await("answer", "answer")
                .after("ask")
                .timeout_ms(86'400'000)
                .default_output({{"ok", false}, {"by", "nobody"}}))
      .step(branch("approved", {{"equals", {"{{steps.answer.output.ok}}", true}}}))
      .step(sleep("cool_off", 50).when("approved"))
      .step(task("place", "echo")
                .after("cool_off")
                .with({{"order", "{{input.order}}"}, {"by", "{{steps.answer.output.by}}"}}))
      .step(task("refuse", "echo")
                .unless("approved")
                .with({{"order", "{{input.order}}"}, {"by", "{{steps.answer.output.by}}"}}))
      .step(task("place_small", "echo")
                .unless("large")
                .with({{"order", "{{input.order}}"}, {"by", "rule"}}))
      .step(task("note", "echo")
                .after({"place", "refuse", "place_small"})
                .with({{"placed", "{{steps.place.output?}}"},
                       {"refused", "{{steps.refuse.output?}}"},
                       {"small", "{{steps.place_small.output?}}"}}))
      .output("{{steps.note.output}}");
}

FlowBuilder poll() {
  return FlowBuilder("poll")
      .description(
          "Poll until done: a job is submitted once, and asked about with durable, growing waits; "
          "a status that is not done yet is a failed attempt.")
      .input({{"job", "render-17"}, {"done_file", "done.txt"}})
      .step(task("submit", "echo").with({{"job", "{{input.job}}"}}))
      .step(sleep("settle", 20).after("submit"))
      .step(task("status", "file.read")
                .after("settle")
                .with({{"path", "{{input.done_file}}"}})
                .timeout_ms(10'000)
                .retry({1000, 20, 1500, 60'000}))
      .step(task("tell", "echo")
                .with({{"job", "{{steps.submit.output.job}}"},
                       {"status", "{{steps.status.output}}"}}))
      .output("{{steps.tell.output}}");
}

FlowBuilder agent() {
  return FlowBuilder("agent")
      .description(
          "Turns of an agent: a model plans calls of tools, each call is made at most once, and a "
          "call of which nobody knows whether it was made waits for a person (pawl doubts, pawl "
          "resolve).")
      .input(
          {{"task", "book a room for Friday"},
           {"plan",
            {{{"tool", "search"}, {"query", "rooms"}}, {{"tool", "book"}, {"query", "room 2"}}}}})
      .step(task("plan", "echo")
                .with({{"calls", "{{input.plan}}"}, {"task", "{{input.task}}"}})
                .retry({5}))
      .step(map("call", "shell", "{{steps.plan.output.calls}}")
                .max_parallel(1)
                .at_most_once(InDoubt::ask)
                .with({{"argv",
                        {"sh", "-c", R"(echo "$1: $2" >> calls.txt; echo ok)", "call",
                         "{{item.tool}}", "{{item.query}}"}}})
                .timeout_ms(60'000))
      .step(value("answers",
                  {{"$map", {{"over", "{{steps.call.output}}"}, {"to", "{{item.stdout}}"}}}}))
      .step(task("second", "echo")
                .with({{"seen", "{{steps.answers.output}}"}, {"say", "done: {{input.task}}"}}))
      .output("{{steps.second.output}}");
}

/// The program `script` with its arguments, reading what `input` gives.
Task script(const std::string& name, const std::string& script,
            const std::vector<std::string>& args, const json& input = nullptr) {
  json argv{"sh", "-ec", script};
  for (const std::string& arg : args) argv.push_back(arg);
  json with{{"argv", argv}};
  if (!input.is_null()) with["stdin"] = input;
  return task(name, "shell").with(with);
}

FlowBuilder release() {
  const std::string archive = "{{input.out}}/{{input.name}}-{{input.version}}.tar";
  const std::string list = "{{steps.list.output.stdout}}";
  const std::string sums =
      "{{steps.sums_code.output.stdout}}{{steps.sums_docs.output.stdout}}"
      "{{steps.sums_rest.output.stdout}}";
  const auto sums_of = [&list](const std::string& name, const std::string& grep) {
    return script(name, "cd \"$1\"; grep " + grep + " | xargs -r -d '\\n' sha256sum",
                  {"sums", "{{input.dir}}"}, list);
  };
  return FlowBuilder("release")
      .description(
          "Packs a folder of files: lists them, takes checksums in three parts at once, builds an "
          "archive, unpacks it elsewhere and compares, writes a manifest.")
      .input({{"dir", "."}, {"name", "release"}, {"version", "0.1.0"}, {"out", "dist"}})
      .step(
          script("list",
                 R"(mkdir -p "$2"; out=$(cd "$2" && pwd); cd "$1"; find . \( -name .git -o -name )"
                 R"(build -o -path "./${out#"$PWD/"}" \) -prune -o -type f ! -name 'pawl.db*' )"
                 R"(-print | LC_ALL=C sort)",
                 {"list", "{{input.dir}}", "{{input.out}}"})
              .description(
                  "Every file below dir, sorted, but for what version control and builds keep "
                  "there."))
      .step(sums_of("sums_code", R"(-E '\.(c|cc|cpp|h|hpp)$')"))
      .step(sums_of("sums_docs", R"(-E '\.(md|txt|json)$')"))
      .step(sums_of("sums_rest", R"(-vE '\.(c|cc|cpp|h|hpp|md|txt|json)$')"))
      .step(script("archive",
                   R"(tar --create --file="$2.part" --directory="$1" --verbatim-files-from )"
                   R"(--files-from=- --mtime=@0 --owner=0 --group=0 --numeric-owner )"
                   R"(--mode=u+rw,go+r; mv "$2.part" "$2"; sha256sum < "$2" | cut -d ' ' -f 1)",
                   {"archive", "{{input.dir}}", archive}, list)
                .timeout_ms(60'000)
                .description(
                    "The same files give the same bytes: names sorted, no times, no owners. Built "
                    "beside its place and renamed."))
      .step(script("check",
                   R"(rm -rf "$2"; mkdir "$2"; tar --extract --file="$1" --directory="$2"; (cd )"
                   R"("$2"; sha256sum --check --quiet -; find . -type f | wc -l); rm -rf "$2")",
                   {"check", archive, "{{input.out}}/unpacked"}, sums)
                .description(
                    "Unpacks the archive elsewhere and compares every file with its checksum.")
                .retry({1})
                .after("archive"))
      .step(task("manifest", "file.write")
                .with({{"path", "{{input.out}}/MANIFEST"},
                       {"text",
                        "{{input.name}} {{input.version}}\narchive sha256 "
                        "{{steps.archive.output.stdout}}files {{steps.check.output.stdout}}\n" +
                            sums}}))
      .output({{"archive", archive},
               {"sha256", "{{steps.archive.output.stdout}}"},
               {"manifest", "{{steps.manifest.output.path}}"}});
}

}  // namespace

TEST_CASE("flow builder: each example of a flow can be written in C++ and is the same flow",
          "[runtime]") {
  const std::map<std::string, FlowBuilder> written{
      {"agent", agent()}, {"approval", approval()}, {"fork_join", fork_join()},
      {"hello", hello()}, {"import", import()},     {"order", order()},
      {"poll", poll()},   {"release", release()},   {"saga", saga()},
  };
  for (const auto& entry :
       std::filesystem::directory_iterator(std::string(PAWL_SOURCES) + "/examples/flows")) {
    CAPTURE(entry.path());
    const auto builder = written.find(entry.path().stem().string());
    REQUIRE(builder != written.end());
    const Flow read = load_flow(entry.path().string()).value();
    const Flow built = builder->second.build().value();
    CHECK(built.canonical() == read.canonical());
    CHECK(built.digest() == read.digest());
  }
}

}  // namespace flow_builder_examples_test
