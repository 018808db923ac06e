// Commands about a store's file as a whole: verify, repair, backup, restore.
#include <pawl/backup.hpp>
#include <pawl/limits.hpp>
#include <pawl/repair.hpp>
#include <pawl/run_document.hpp>
#include <pawl/verify.hpp>

#include "tools/commands.hpp"

#include <filesystem>
#include <string>
#include <system_error>

namespace pawl::tools {

namespace {

std::string size_text(const Verification& verified) {
  return std::to_string(verified.runs) + " runs, " + std::to_string(verified.records) + " records";
}

json to_json_value(const Verification& verified) {
  json findings = json::array();
  for (const Finding& finding : verified.findings)
    findings.push_back(json{{"code", finding.code},
                            {"run", finding.run},
                            {"message", printable_text(finding.message, Limits::error_bytes_max)},
                            {"remedy", finding.remedy}});
  return json{{"ok", verified.findings.empty()},
              {"runs", verified.runs},
              {"records", verified.records},
              {"findings", findings}};
}

/// Tells what was found: as `document` with --json, else a line for each, and `last`.
ExitCode tell(Console& console, const Verification& verified, json document,
              const std::string& last) {
  if (console.json_wanted()) {
    document.update(to_json_value(verified));
    console.document(document);
  } else {
    for (const Finding& finding : verified.findings)
      console.data(finding.code + (finding.run.empty() ? "" : ": run " + finding.run) + ": " +
                   finding.message + "; " + finding.remedy);
    console.data(last);
  }
  return verified.findings.empty() ? ExitCode::succeeded : ExitCode::store;
}

}  // namespace

ExitCode verify_command(const Settings& settings) {
  Console console(settings);
  const Result<Verification> verified = verify_sqlite_store(settings.store);
  if (!verified) return console.error(verified.error());
  return tell(console, *verified, json::object(),
              (verified->findings.empty() ? "ok: " : "") + size_text(*verified) + ", " +
                  std::to_string(verified->findings.size()) + " findings");
}

ExitCode repair_command(const Settings& settings, bool accepts_loss) {
  Console console(settings);
  RepairOptions options;
  options.accepts_loss = accepts_loss;
  const Result<Repair> repair = repair_sqlite_store(settings.store, options);
  if (!repair) return console.error(repair.error());
  for (const std::string& done : repair->done)
    if (!console.json_wanted()) console.data("repaired: " + done);
  return tell(console, repair->left, json{{"repaired", repair->done}},
              std::to_string(repair->done.size()) + " repairs, " +
                  std::to_string(repair->left.findings.size()) + " findings left");
}

ExitCode backup_command(const Settings& settings, const std::string& to) {
  Console console(settings);
  const Result<Verification> copied = back_up_sqlite_store(settings.store, to);
  if (!copied) return console.error(copied.error());
  return tell(console, *copied, json{{"backup", to}},
              to + ": " + size_text(*copied) +
                  (copied->findings.empty() ? ", verified" : ", copied with what is damaged"));
}

ExitCode restore_command(const Settings& settings, const std::string& from) {
  Console console(settings);
  const Result<Verification> restored = restore_sqlite_store(settings.store, from);
  if (!restored) return console.error(restored.error());
  std::error_code ignored;
  const std::filesystem::path store = settings.store;
  const std::string replaced =
      (std::filesystem::is_symlink(store, ignored) ? std::filesystem::canonical(store, ignored)
                                                   : store)
          .string() +
      ".replaced";
  return tell(
      console, *restored, json{{"restored", settings.store}},
      settings.store + ": " + size_text(*restored) + ", verified" +
          (std::filesystem::exists(replaced, ignored) ? "; what was there before is " + replaced
                                                      : ""));
}

}  // namespace pawl::tools
