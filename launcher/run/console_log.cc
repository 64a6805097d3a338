// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/run/console_log.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/unique_fd.h"
#include "launcher/base/error.h"
#include "launcher/base/files.h"
#include "launcher/base/text.h"
#include "launcher/base/unfinished_file.h"
#include "launcher/vm/state.h"

namespace tapgate {

std::array<std::string, 2> console_log_paths(const VmName& name) {
    const std::string path = vm_directory(name) + "/console.log";
    return {path + ".1", path};
}

void remove_console_log(const VmName& name) {
    for (const std::string& path : console_log_paths(name))
        unlink(path.c_str());
}

void limit_console_log(const VmName& name) {
    const auto [older, path] = console_log_paths(name);
    const UniqueFd log(open(path.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW));
    struct stat now {};
    if (!log || fstat(log.get(), &now) != 0 || now.st_size <= console_log_limit)
        return;
    std::string text(console_log_limit, '\0');
    const ssize_t got = pread(log.get(), text.data(), text.size(), now.st_size - console_log_limit);
    // QEMU appends (logappend=on), so its next byte becomes the first one.
    if (got < 0 || ftruncate(log.get(), 0) != 0)
        fail_with_errno(shown(path));
    text.resize(static_cast<size_t>(got));
    replace_file(older, text);
}

}  // namespace tapgate
