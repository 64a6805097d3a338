// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/base/confinement.h"

#include <fcntl.h>
#include <linux/landlock.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <sstream>
#include <system_error>
#include <thread>

#include "launcher/base/error.h"
#include "launcher/base/text.h"

namespace tapgate {

namespace {

// The rights of linux/landlock.h in the kernels that this is built for; the header here may be
// older.
namespace right {
constexpr std::uint64_t execute = 1U << 0;
constexpr std::uint64_t write_file = 1U << 1;
constexpr std::uint64_t read_file = 1U << 2;
constexpr std::uint64_t read_directory = 1U << 3;
constexpr std::uint64_t all_of_version_1 = (1U << 13) - 1;
constexpr std::uint64_t refer = 1U << 13;           // version 2
constexpr std::uint64_t truncate = 1U << 14;        // 3
constexpr std::uint64_t device_control = 1U << 15;  // 5
constexpr std::uint64_t tcp = 3;                    // 4: bind and connect
constexpr std::uint64_t scopes = 3;                 // 6: abstract sockets, signals
}  // namespace right

// struct landlock_ruleset_attr. An older kernel accepts it if the fields that it does not know are
// 0.
struct RulesetAttributes {
    std::uint64_t files = 0;
    std::uint64_t network = 0;
    std::uint64_t scoped = 0;
};

RulesetAttributes handled_by(int version) {
    RulesetAttributes handled{.files = right::all_of_version_1};
    if (version >= 2)
        handled.files |= right::refer;
    if (version >= 3)
        handled.files |= right::truncate;
    if (version >= 4)
        handled.network = right::tcp;
    if (version >= 5)
        handled.files |= right::device_control;
    if (version >= 6)
        handled.scoped = right::scopes;
    return handled;
}

constexpr std::uint64_t to_read = right::read_file | right::device_control;
constexpr std::uint64_t to_write = to_read | right::write_file | right::truncate;
constexpr std::uint64_t to_run = right::execute | right::read_file | right::read_directory;
// Those rights that apply to files.
constexpr std::uint64_t of_files = to_write | right::execute;

// The folders of the system's programs, libraries and their data, which everybody may read.
constexpr std::array system_paths{"/usr",        "/bin",       "/lib",       "/lib32",
                                  "/lib64",      "/nix/store", "/gnu/store", "/etc/ld.so.cache",
                                  "/dev/urandom"};

class Rules {
  public:
    explicit Rules(int version) : handled_(handled_by(version)) {
        fd_.reset(
            static_cast<int>(syscall(SYS_landlock_create_ruleset, &handled_, sizeof handled_, 0)));
        if (!fd_)
            fail();
    }

    // Does nothing for a path that does not exist.
    void add_if_there(const std::string& path, std::uint64_t rights) {
        const UniqueFd at(open(path.c_str(), O_PATH | O_CLOEXEC));
        struct stat status {};
        if (at && fstat(at.get(), &status) == 0)
            add(at, status, rights);
    }

    void add_file(const std::string& path, std::uint64_t rights, int flags = 0) {
        const UniqueFd at(open(path.c_str(), O_PATH | O_CLOEXEC | flags));
        struct stat status {};
        if (!at || fstat(at.get(), &status) != 0)
            fail_with_errno(shown(path));
        if (!S_ISREG(status.st_mode) && !S_ISBLK(status.st_mode))
            throw LauncherError(shown(path) + ": neither a file nor a block device");
        add(at, status, rights);
    }

    UniqueFd take() { return std::move(fd_); }

  private:
    void add(const UniqueFd& at, const struct stat& status, std::uint64_t rights) {
        landlock_path_beneath_attr rule{};
        rule.allowed_access =
            rights & handled_.files & (S_ISDIR(status.st_mode) ? ~std::uint64_t{0} : of_files);
        rule.parent_fd = at.get();
        if (syscall(SYS_landlock_add_rule, fd_.get(), LANDLOCK_RULE_PATH_BENEATH, &rule, 0) != 0)
            fail();
    }

    [[noreturn]] static void fail() { fail_with_errno("cannot confine a program (Landlock)"); }

    RulesetAttributes handled_;
    UniqueFd fd_;
};

// Allows a program of the user's own, outside the system's folders, and its libraries.
void add_program(Rules& rules, const std::string& program) {
    std::error_code error;
    const std::filesystem::path file = std::filesystem::canonical(program, error);
    if (error)
        throw LauncherError(shown(program) + ": " + error.message());
    rules.add_if_there(file.string(), to_run);
    const std::filesystem::path prefix = file.parent_path().parent_path();
    for (const char* const libraries : {"lib", "lib64"})
        rules.add_if_there((prefix / libraries).string(), to_run);
    // NOLINTNEXTLINE(concurrency-mt-unsafe): nobody sets it
    if (const char* const said = std::getenv("LD_LIBRARY_PATH")) {
        std::istringstream directories(said);
        for (std::string directory; std::getline(directories, directory, ':');) {
            if (directory.starts_with('/'))
                rules.add_if_there(directory, to_run);
        }
    }
}

}  // namespace

int landlock_version() {
    constexpr unsigned ask_for_version = 1;
    const long version = syscall(SYS_landlock_create_ruleset, nullptr, 0, ask_for_version);
    return version > 0 ? static_cast<int>(version) : 0;
}

Confinement::Confinement(const FileAccess& files, const std::string& program) {
    const int version = landlock_version();
    if (version == 0)
        return;
    Rules rules(version);
    for (const char* const path : system_paths)
        rules.add_if_there(path, to_run);
    rules.add_if_there("/dev/null", to_write);
    add_program(rules, program);
    for (const std::string& path : files.read)
        rules.add_file(path, to_read);
    for (const std::string& path : files.parts)
        rules.add_file(path, to_read, O_NOFOLLOW);
    for (const std::string& path : files.write)
        rules.add_file(path, to_write);
    rules_ = rules.take();
}

void Confinement::run(const std::function<void()>& start) const {
    if (!rules_) {
        start();
        return;
    }
    // Landlock cannot be undone, and holds for a thread and what that starts: so use a thread.
    std::exception_ptr failure;
    std::thread confined([&] {
        try {
            if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
                syscall(SYS_landlock_restrict_self, rules_.get(), 0) != 0)
                fail_with_errno("cannot confine a program (Landlock)");
            start();
        } catch (...) {
            failure = std::current_exception();
        }
    });
    confined.join();
    if (failure)
        std::rethrow_exception(failure);
}

}  // namespace tapgate
