// guest_init: the first process of a virtual machine whose kernel the model is compared with.
//
// Mounts what the lockstep needs, /tmp as ext4 if it can, then runs lockstep_fuzz under each of the machine settings
// below, and powers off. Its last line is "guest: N runs, M failed". Arguments of every run come from the kernel's
// command line:
// reheap.fuzz=--operations:2000:--seed:1
// reheap.settings=0,4 leaves out the other settings.
#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

namespace {

struct Setting {
  const char* name;
  std::vector<std::pair<const char*, const char*>> files;  // what is written where
};

const char kOvercommit[] = "/proc/sys/vm/overcommit_memory";
const char kRatio[] = "/proc/sys/vm/overcommit_ratio";
const char kKbytes[] = "/proc/sys/vm/overcommit_kbytes";
const char kMapCount[] = "/proc/sys/vm/max_map_count";
const char kHugePages[] = "/sys/kernel/mm/transparent_hugepage/enabled";

const std::vector<Setting>& Settings() {
  static const std::vector<Setting> settings = {
      // First, before anybody has had terabytes: after them 6.1 was once seen to refuse every fork under overcommit 2.
      {"overcommit 2, kbytes", {{kHugePages, "never"}, {kKbytes, "67108864"}, {kOvercommit, "2"}}},
      {"overcommit 2, ratio", {{kRatio, "1000"}}},
      {"overcommit 0", {{kOvercommit, "0"}, {kRatio, "50"}}},
      {"overcommit 1", {{kOvercommit, "1"}}},
      {"huge pages always", {{kOvercommit, "0"}, {kHugePages, "always"}}},
      {"huge pages on advice", {{kHugePages, "madvise"}}},
      // Fewer than the mix would have.
      {"200 mappings", {{kHugePages, "never"}, {kMapCount, "200"}}},
  };
  return settings;
}

bool Write(const char* path, const char* text) {
  const int file = open(path, O_WRONLY);
  const bool done = file >= 0 && write(file, text, strlen(text)) == static_cast<ssize_t>(strlen(text));
  if (file >= 0) close(file);
  if (!done) printf("guest: cannot write %s to %s\n", text, path);
  return done;
}

// Files as most programs have them: placed for huge pages, and not counted as shared memory. The image is an empty ext4 of
// that length, cut where nothing but zeros follows.
bool MountDisk() {
  constexpr off_t kDiskBytes = 128 << 20;
  const int module = open("/loop.ko", O_RDONLY), image = open("/disk.img", O_RDWR);
  if (module < 0 || image < 0 || ftruncate(image, kDiskBytes) != 0) return false;
  if (syscall(SYS_finit_module, module, "", 0) != 0) return false;
  const int device = open("/dev/loop0", O_RDWR);
  return device >= 0 && ioctl(device, LOOP_SET_FD, image) == 0 && mount("/dev/loop0", "/tmp", "ext4", 0, nullptr) == 0;
}

// What the kernel's command line says after `key`, between separators.
std::vector<std::string> WordsOf(const std::string& key, char separator) {
  std::vector<std::string> words;
  std::ifstream in("/proc/cmdline");
  std::string text;
  while (in >> text) {
    if (text.rfind(key, 0) != 0) continue;
    for (size_t at = key.size(); at < text.size();) {
      const size_t end = std::min(text.find(separator, at), text.size());
      words.push_back(text.substr(at, end - at));
      at = end + 1;
    }
  }
  return words;
}

// Of the whole machine, with nothing else running: what a kernel forgot to give back refuses forks under overcommit 2.
std::string CommittedText() {
  std::ifstream in("/proc/meminfo");
  std::string word, kilobytes;
  while (in >> word) {
    if (word == "Committed_AS:" && in >> kilobytes) return kilobytes + " kB committed";
  }
  return "";
}

bool RunFuzz(std::vector<std::string> arguments) {
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  fflush(stdout);
  const pid_t pid = fork();
  if (pid < 0) {
    perror("guest: fork");
    return false;
  }
  if (pid == 0) {
    execv(argv[0], argv.data());
    _exit(127);
  }
  int status = 0;
  waitpid(pid, &status, 0);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

}  // namespace

int main() {
  mount("proc", "/proc", "proc", 0, nullptr);
  mount("sysfs", "/sys", "sysfs", 0, nullptr);
  mount("devtmpfs", "/dev", "devtmpfs", 0, nullptr);
  if (!MountDisk()) {
    printf("guest: no disk, files are on a tmpfs: errno %d\n", errno);
    mount("tmpfs", "/tmp", "tmpfs", 0, nullptr);
  }
  std::vector<std::string> fuzz = {"/lockstep_fuzz", "--executors", "/", "--scripts", "/scripts", "--alone", "yes"};
  for (std::string& word : WordsOf("reheap.fuzz=", ':')) fuzz.push_back(std::move(word));
  const std::vector<std::string> wanted = WordsOf("reheap.settings=", ',');
  // Huge pages come when they are asked for, not when a thread of the kernel's finds the time.
  Write("/sys/kernel/mm/transparent_hugepage/khugepaged/scan_sleep_millisecs", "3600000");
  int runs = 0, failed = 0;
  for (size_t i = 0; i < Settings().size(); ++i) {
    const Setting& setting = Settings()[i];
    bool ready = true;
    for (const auto& [path, text] : setting.files) ready &= Write(path, text);
    if (!wanted.empty() && std::find(wanted.begin(), wanted.end(), std::to_string(i)) == wanted.end()) continue;
    printf("guest: %s (%s)\n", setting.name, CommittedText().c_str());
    ++runs;
    failed += !ready || !RunFuzz(fuzz);
  }
  printf("guest: %d runs, %d failed\n", runs, failed);
  fflush(stdout);
  sync();
  reboot(RB_POWER_OFF);
  return 0;
}
