#include "tests/browser/browser.h"

#include <errno.h>
#include <fcntl.h>
#include <google/protobuf/util/json_util.h>
#include <google/protobuf/wrappers.pb.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

namespace reheap {

namespace {

using google::protobuf::Struct;
using google::protobuf::Value;

constexpr char kProgram[] = "/usr/bin/chromium";
// Where --remote-debugging-pipe reads and writes.
constexpr int kChildReads = 3;
constexpr int kChildWrites = 4;

const Value& Field(const Struct& of, const std::string& name) {
  static const Value none;
  const auto found = of.fields().find(name);
  return found == of.fields().end() ? none : found->second;
}
const Struct& StructField(const Struct& of, const std::string& name) {
  return Field(of, name).struct_value();
}
std::string TextField(const Struct& of, const std::string& name) { return Field(of, name).string_value(); }

std::string Json(const google::protobuf::Message& message) {
  std::string text;
  const auto status = google::protobuf::util::MessageToJsonString(message, &text);
  return status.ok() ? text : "?";
}

// In the child: descriptors where Chromium expects them, then the program. Does not return.
[[noreturn]] void BecomeBrowser(int reads, int writes, const std::string& temporary, int width, int height) {
  setpgid(0, 0);
  // Both away from 3 and 4 first: one may lie where the other goes.
  const int from = fcntl(reads, F_DUPFD, 10);
  const int to = fcntl(writes, F_DUPFD, 10);
  dup2(from, kChildReads);
  dup2(to, kChildWrites);
  close(from);
  close(to);
  // Its chatter about missing graphics cards and buses is not the test's.
  const int null = open("/dev/null", O_RDWR);
  dup2(null, STDOUT_FILENO);
  if (getenv("REHEAP_BROWSER_TALKS") == nullptr) dup2(null, STDERR_FILENO);
  setenv("HOME", temporary.c_str(), 1);
  setenv("XDG_CONFIG_HOME", temporary.c_str(), 1);
  setenv("XDG_CACHE_HOME", temporary.c_str(), 1);
  const std::string profile = absl::StrCat("--user-data-dir=", temporary, "/profile");
  const std::string window = absl::StrCat("--window-size=", width, ",", height);
  execl(kProgram, kProgram, "--headless", "--remote-debugging-pipe", "--no-sandbox", "--disable-gpu",
        "--disable-dev-shm-usage", "--disable-quic", "--no-first-run", "--disable-background-networking",
        "--disable-component-update", "--disable-sync", "--disable-extensions", "--hide-scrollbars",
        "--force-device-scale-factor=1", "--force-color-profile=srgb", "--lang=en-US", profile.c_str(),
        window.c_str(), "about:blank", static_cast<char*>(nullptr));
  _exit(127);
}

absl::Status WriteAll(int fd, const std::string& bytes) {
  for (size_t done = 0; done < bytes.size();) {
    const ssize_t wrote = write(fd, bytes.data() + done, bytes.size() - done);
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote <= 0)
      return absl::UnavailableError(absl::StrCat("the browser does not listen: ", strerror(errno)));
    done += static_cast<size_t>(wrote);
  }
  return absl::OkStatus();
}

}  // namespace

std::string JsonString(const std::string& text) {
  google::protobuf::StringValue value;
  value.set_value(text);
  return Json(value);
}

absl::StatusOr<std::unique_ptr<Browser>> Browser::Start(const std::string& temporary, int width, int height) {
  if (access(kProgram, X_OK) != 0) {
    return absl::NotFoundError(absl::StrCat(kProgram, " is missing: apt-get install chromium"));
  }
  signal(SIGPIPE, SIG_IGN);
  int commands[2];
  int answers[2];
  if (pipe2(commands, O_CLOEXEC) != 0 || pipe2(answers, O_CLOEXEC) != 0) {
    return absl::UnavailableError(absl::StrCat("pipe: ", strerror(errno)));
  }
  const pid_t child = fork();
  if (child == 0) BecomeBrowser(commands[0], answers[1], temporary, width, height);
  close(commands[0]);
  close(answers[1]);
  if (child < 0) return absl::UnavailableError(absl::StrCat("fork: ", strerror(errno)));
  std::unique_ptr<Browser> browser(new Browser(child, commands[1], answers[0]));
  const absl::Status attached = browser->Attach(width, height);
  if (!attached.ok()) return attached;
  return browser;
}

Browser::~Browser() {
  session_.clear();
  const bool listens = Call("Browser.close", "{}").ok();
  close(to_child_);
  close(from_child_);
  if (!listens) kill(-child_, SIGKILL);
  while (waitpid(child_, nullptr, 0) < 0 && errno == EINTR) {
  }
  kill(-child_, SIGKILL);  // helpers that outlive it
}

absl::Status Browser::Attach(int width, int height) {
  const absl::StatusOr<Struct> target = Call("Target.createTarget", "{\"url\":\"about:blank\"}");
  if (!target.ok()) return target.status();
  const absl::StatusOr<Struct> session =
      Call("Target.attachToTarget",
           absl::StrCat("{\"flatten\":true,\"targetId\":", JsonString(TextField(*target, "targetId")), "}"));
  if (!session.ok()) return session.status();
  session_ = TextField(*session, "sessionId");
  for (const char* domain : {"Page.enable", "Runtime.enable", "Log.enable", "Network.enable"}) {
    if (const absl::StatusOr<Struct> enabled = Call(domain, "{}"); !enabled.ok()) return enabled.status();
  }
  return Call("Emulation.setDeviceMetricsOverride",
              absl::StrCat("{\"mobile\":false,\"deviceScaleFactor\":1,\"width\":", width,
                           ",\"height\":", height, "}"))
      .status();
}

absl::StatusOr<Struct> Browser::ReadMessage() {
  size_t end = 0;
  while ((end = unread_.find('\0')) == std::string::npos) {
    char piece[1 << 16];
    const ssize_t got = read(from_child_, piece, sizeof piece);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return absl::UnavailableError("the browser has ended");
    unread_.append(piece, static_cast<size_t>(got));
  }
  Struct message;
  const auto parsed = google::protobuf::util::JsonStringToMessage(unread_.substr(0, end), &message);
  unread_.erase(0, end + 1);
  if (!parsed.ok())
    return absl::DataLossError(absl::StrCat("from the browser: ", std::string(parsed.message())));
  return message;
}

void Browser::Note(const Struct& event) {
  const std::string method = TextField(event, "method");
  const Struct& parameters = StructField(event, "params");
  if (method == "Page.loadEventFired") loaded_ = true;
  if (method == "Runtime.exceptionThrown") complaints_.push_back(Json(parameters));
  if (method == "Runtime.consoleAPICalled" && TextField(parameters, "type") != "log") {
    complaints_.push_back(Json(parameters));
  }
  if (method == "Log.entryAdded") complaints_.push_back(TextField(StructField(parameters, "entry"), "text"));
  if (method == "Network.requestWillBeSent") {
    requests_.push_back(TextField(StructField(parameters, "request"), "url"));
  }
}

absl::StatusOr<Struct> Browser::Call(const std::string& method, const std::string& parameters) {
  const int id = ++last_id_;
  const std::string session = session_.empty() ? "" : absl::StrCat(",\"sessionId\":", JsonString(session_));
  const std::string command =
      absl::StrCat("{\"id\":", id, ",\"method\":\"", method, "\",\"params\":", parameters, session, "}");
  if (absl::Status sent = WriteAll(to_child_, command + '\0'); !sent.ok()) return sent;
  while (true) {
    absl::StatusOr<Struct> message = ReadMessage();
    if (!message.ok()) return message.status();
    if (Field(*message, "id").number_value() != id) {
      Note(*message);
      continue;
    }
    if (message->fields().contains("error")) {
      return absl::InternalError(absl::StrCat(method, ": ", Json(StructField(*message, "error"))));
    }
    return StructField(*message, "result");
  }
}

absl::Status Browser::Open(const std::string& url) {
  complaints_.clear();
  requests_.clear();
  loaded_ = false;
  const absl::StatusOr<Struct> answer =
      Call("Page.navigate", absl::StrCat("{\"url\":", JsonString(url), "}"));
  if (!answer.ok()) return answer.status();
  if (const std::string error = TextField(*answer, "errorText"); !error.empty()) {
    return absl::NotFoundError(absl::StrCat(url, ": ", error));
  }
  while (!loaded_) {
    const absl::StatusOr<Struct> event = ReadMessage();
    if (!event.ok()) return event.status();
    Note(*event);
  }
  return scripts_ ? AwaitFrames() : absl::OkStatus();
}

absl::Status Browser::AwaitFrames() {
  return Evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(1))))")
      .status();
}

absl::StatusOr<std::string> Browser::Evaluate(const std::string& expression) {
  const absl::StatusOr<Struct> answer =
      Call("Runtime.evaluate", absl::StrCat("{\"awaitPromise\":true,\"returnByValue\":true,\"expression\":",
                                            JsonString(expression), "}"));
  if (!answer.ok()) return answer.status();
  if (answer->fields().contains("exceptionDetails")) {
    return absl::InvalidArgumentError(
        absl::StrCat(expression, ": ", Json(StructField(*answer, "exceptionDetails"))));
  }
  return Json(Field(StructField(*answer, "result"), "value"));
}

absl::Status Browser::Press(const std::string& key) {
  static const std::pair<const char*, int> kCodes[] = {
      {"Tab", 9},        {"Enter", 13},   {"Escape", 27},     {"End", 35},      {"Home", 36},
      {"ArrowLeft", 37}, {"ArrowUp", 38}, {"ArrowRight", 39}, {"ArrowDown", 40}};
  int code = 0;
  for (const auto& [name, number] : kCodes) code = name == key ? number : code;
  for (const char* type : {"rawKeyDown", "keyUp"}) {
    const absl::StatusOr<Struct> sent =
        Call("Input.dispatchKeyEvent",
             absl::StrCat("{\"type\":\"", type, "\",\"key\":", JsonString(key), ",\"code\":", JsonString(key),
                          ",\"windowsVirtualKeyCode\":", code, "}"));
    if (!sent.ok()) return sent.status();
    if (key == "Enter" && absl::string_view(type) == "rawKeyDown") {
      const absl::StatusOr<Struct> typed = Call("Input.dispatchKeyEvent",
                                                "{\"type\":\"char\",\"key\":\"Enter\",\"code\":\"Enter\","
                                                "\"text\":\"\\r\",\"windowsVirtualKeyCode\":13}");
      if (!typed.ok()) return typed.status();
    }
  }
  return absl::OkStatus();
}

absl::Status Browser::Hover(int x, int y) {
  return Call("Input.dispatchMouseEvent",
              absl::StrCat("{\"type\":\"mouseMoved\",\"x\":", x, ",\"y\":", y, "}"))
      .status();
}

absl::Status Browser::Emulate(const std::string& medium, const std::string& feature,
                              const std::string& value) {
  const std::string features = feature.empty() ? "[]"
                                               : absl::StrCat("[{\"name\":", JsonString(feature),
                                                              ",\"value\":", JsonString(value), "}]");
  return Call("Emulation.setEmulatedMedia",
              absl::StrCat("{\"media\":", JsonString(medium), ",\"features\":", features, "}"))
      .status();
}

absl::Status Browser::AllowScripts(bool allow) {
  scripts_ = allow;
  return Call("Emulation.setScriptExecutionDisabled",
              absl::StrCat("{\"value\":", allow ? "false" : "true", "}"))
      .status();
}

absl::StatusOr<std::string> Browser::Screenshot() {
  const absl::StatusOr<Struct> answer = Call("Page.captureScreenshot", "{\"format\":\"png\"}");
  if (!answer.ok()) return answer.status();
  std::string png;
  if (!absl::Base64Unescape(TextField(*answer, "data"), &png))
    return absl::DataLossError("a screenshot is no base64");
  return png;
}

}  // namespace reheap
