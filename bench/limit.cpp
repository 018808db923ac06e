#include "bench/limit.hpp"

#include <pawl/record.hpp>

#include "bench/stopwatch.hpp"
#include "bench/usage.hpp"
#include "store/schema.hpp"
#include "store/writer_sql.hpp"

#include <SQLiteCpp/Database.h>
#include <SQLiteCpp/Statement.h>
#include <sqlite3.h>

#include <algorithm>
#include <fcntl.h>
#include <iterator>
#include <map>
#include <set>
#include <stdexcept>
#include <unistd.h>
#include <utility>
#include <variant>
#include <vector>

namespace pawl::bench {

namespace {

struct Bytes {
  std::string bytes;

  bool operator==(const Bytes& other) const { return bytes == other.bytes; }
};

using Value = std::variant<std::monostate, std::int64_t, std::string, Bytes>;
using Row = std::vector<Value>;

std::vector<Row> read_rows(SQLite::Database& db, const char* sql) {
  std::vector<Row> rows;
  SQLite::Statement statement(db, sql);
  while (statement.executeStep()) {
    Row row;
    for (int i = 0; i < statement.getColumnCount(); ++i) {
      const SQLite::Column column = statement.getColumn(i);
      if (column.isNull())
        row.emplace_back();
      else if (column.isInteger())
        row.emplace_back(column.getInt64());
      else if (column.isText())
        row.emplace_back(column.getString());
      else
        row.emplace_back(Bytes{column.getString()});
    }
    rows.push_back(std::move(row));
  }
  return rows;
}

void bind(SQLite::Statement& statement, int index, const Value& value) {
  if (const auto* number = std::get_if<std::int64_t>(&value))
    statement.bind(index, *number);
  else if (const auto* text = std::get_if<std::string>(&value))
    statement.bindNoCopy(index, *text);
  else if (const auto* blob = std::get_if<Bytes>(&value))
    statement.bindNoCopy(index, blob->bytes.data(), static_cast<int>(blob->bytes.size()));
  else
    statement.bind(index);
}

/// Columns of `runs`, in the order of the table.
enum RunColumn {
  run_key,
  run_id,
  run_flow,
  run_input,
  run_input_digest,
  run_folder,
  run_state,
  run_due_ms,
  run_started_ms,
  run_ended_ms,
  run_checksum
};

/// Columns of `events`.
enum EventColumn { event_seq, event_run, event_step, event_slot, event_kind, event_commit_seq = 8 };

class Writer {
 public:
  Writer(SQLite::Database& db, const std::vector<Row>& flows, const std::vector<Row>& runs)
      : begin_(db, writer_sql::begin),
        commit_(db, writer_sql::commit),
        insert_flow_(db, writer_sql::insert_flow),
        seal_flow_(db, writer_sql::seal_flow),
        insert_run_(db, writer_sql::insert_run),
        insert_event_(db, writer_sql::insert_event),
        note_run_(db, writer_sql::note_run) {
    for (const Row& flow : flows) flows_.emplace(std::get<std::int64_t>(flow[0]), &flow);
    for (const Row& run : runs) runs_.emplace(std::get<std::int64_t>(run[run_key]), &run);
  }

  void begin() { execute(begin_); }

  void commit() { execute(commit_); }

  void write(const Row& event) {
    const auto kind = static_cast<RecordKind>(std::get<std::int64_t>(event[event_kind]));
    const Row& run = *runs_.at(std::get<std::int64_t>(event[event_run]));
    if (kind == RecordKind::started) start(run);
    for (int i = 0; i < static_cast<int>(event.size()); ++i)
      bind(insert_event_, i + 1, event[static_cast<std::size_t>(i)]);
    execute(insert_event_);
    if (kind == RecordKind::ended) note(run);
  }

 private:
  static void execute(SQLite::Statement& statement) {
    statement.exec();
    statement.reset();
  }

  void start(const Row& run) {
    const auto flow_key = std::get<std::int64_t>(run[run_flow]);
    if (written_.insert(flow_key).second) {
      const Row& flow = *flows_.at(flow_key);
      for (int i = 1; i <= 3; ++i) bind(insert_flow_, i, flow[static_cast<std::size_t>(i)]);
      execute(insert_flow_);
      bind(seal_flow_, 1, flow[4]);
      bind(seal_flow_, 2, flow[0]);
      execute(seal_flow_);
    }
    constexpr RunColumn columns[] = {run_key,   run_id,           run_flow,
                                     run_input, run_input_digest, run_folder,
                                     run_state, run_started_ms,   run_checksum};
    for (int i = 0; i < static_cast<int>(std::size(columns)); ++i)
      bind(insert_run_, i + 1, run[columns[i]]);
    execute(insert_run_);
  }

  void note(const Row& run) {
    constexpr RunColumn columns[] = {run_state, run_due_ms, run_ended_ms, run_checksum, run_key};
    for (int i = 0; i < static_cast<int>(std::size(columns)); ++i)
      bind(note_run_, i + 1, run[columns[i]]);
    execute(note_run_);
  }

  SQLite::Statement begin_, commit_, insert_flow_, seal_flow_, insert_run_, insert_event_,
      note_run_;
  std::map<std::int64_t, const Row*> flows_, runs_;
  std::set<std::int64_t> written_;
};

void set(SQLite::Database& db, const std::string& pragma, const std::string& value) {
  db.exec("PRAGMA " + pragma + " = " + value);
  const std::string actual = db.execAndGet("PRAGMA " + pragma).getString();
  if (actual != value) throw std::runtime_error("SQLite's " + pragma + " is " + actual);
}

void demand_equal(SQLite::Database& db, const std::string& store) {
  SQLite::Statement attach(db, "ATTACH ? AS product");
  attach.bind(1, store);
  attach.exec();
  for (const std::string table : {"flows", "runs", "events"}) {
    const auto differ = [&](const std::string& a, const std::string& b) {
      return db
          .execAndGet("SELECT count(*) FROM (SELECT * FROM " + a + "." + table +
                      " EXCEPT SELECT * FROM " + b + "." + table + ")")
          .getInt64();
    };
    if (differ("main", "product") + differ("product", "main") != 0)
      throw std::runtime_error("the limit's rows of " + table + " are not the store's");
  }
}

}  // namespace

Limit write_again(const std::string& store, const std::string& copy) {
  std::vector<Row> flows, runs, events;
  {
    SQLite::Database source(store, SQLite::OPEN_READONLY);
    flows = read_rows(source, "SELECT flow, digest, name, spec, checksum FROM flows");
    runs = read_rows(source, "SELECT * FROM runs");
    events = read_rows(source, "SELECT * FROM events ORDER BY seq");
  }
  SQLite::Database db(copy, SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE | SQLite::OPEN_NOMUTEX);
  set(db, "page_size", "4096");
  set(db, "journal_mode", "wal");
  set(db, "synchronous", "2");  // FULL
  set(db, "journal_size_limit", "67108864");
  set(db, "cache_size", "-16384");
  set(db, "wal_autocheckpoint", "4000");
  if (Result<void> made = make_schema(db, copy); !made)
    throw std::runtime_error(made.error().text());

  Writer writer(db, flows, runs);
  Limit limit;
  const auto began = Clock::now();
  const double cpu_before_s = cpu_s();
  for (auto event = events.begin(); event != events.end();) {
    writer.begin();
    for (const Value commit_seq = (*event)[event_commit_seq];
         event != events.end() && (*event)[event_commit_seq] == commit_seq; ++event)
      writer.write(*event);
    writer.commit();
    ++limit.commits;
  }
  limit.seconds = seconds_since(began);
  limit.cpu_seconds = cpu_s() - cpu_before_s;
  limit.records = static_cast<std::int64_t>(events.size());
  limit.outputs = std::count_if(events.begin(), events.end(), [](const Row& event) {
    return std::get<std::int64_t>(event[event_kind]) ==
           static_cast<std::int64_t>(RecordKind::output);
  });
  demand_equal(db, store);
  return limit;
}

double flush_us_p50(const std::string& folder) {
  const std::string path = folder + "/flush";
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  const std::string page(4096, 'p');
  std::vector<double> us;
  for (const auto began = Clock::now(); seconds_since(began) < 0.5;) {
    const auto one = Clock::now();
    if (::write(fd, page.data(), page.size()) != static_cast<ssize_t>(page.size()) ||
        ::fdatasync(fd) != 0)
      throw std::runtime_error("cannot write to " + path);
    us.push_back(seconds_since(one) * 1e6);
  }
  ::close(fd);
  ::unlink(path.c_str());
  std::sort(us.begin(), us.end());
  return us[us.size() / 2];
}

}  // namespace pawl::bench
