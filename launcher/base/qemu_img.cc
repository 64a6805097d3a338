// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/base/qemu_img.h"

#include <fcntl.h>
#include <unistd.h>

#include <sstream>
#include <utility>

#include "common/unique_fd.h"
#include "launcher/base/error.h"
#include "launcher/base/text.h"

namespace tapgate {

namespace {

std::string qemu_img_program() {
    auto program = find_program("qemu-img");
    if (!program)
        throw LauncherError("there is no qemu-img; install the package qemu-utils");
    return std::move(*program);
}

// qemu-img's error, without its complaint that it may not remove the file: we remove it.
std::string without_removal(const std::string& errors) {
    std::istringstream lines(errors);
    std::string rest;
    for (std::string line; std::getline(lines, line);)
        if (line.find("Error when deleting file") == std::string::npos)
            rest += line + "\n";
    return rest;
}

std::vector<std::string> with_name(const std::vector<std::string>& words) {
    std::vector<std::string> all{"qemu-img"};
    all.insert(all.end(), words.begin(), words.end());
    return all;
}

}  // namespace

ProgramResult run_qemu_img(const std::vector<std::string>& words,
                           const std::optional<FileAccess>& files,
                           std::chrono::milliseconds limit) {
    const std::string program = qemu_img_program();
    if (!files)
        return run_program(with_name(words), limit);
    const Confinement confinement(*files, program);
    ProgramResult result = run_program(with_name(words), limit, most_program_output, &confinement);
    result.errors = without_removal(result.errors);
    return result;
}

ChildProcess start_qemu_img(const std::vector<std::string>& words, const FileAccess& files,
                            int output) {
    const std::string program = qemu_img_program();
    const Confinement confinement(files, program);
    return ChildProcess({.program = program,
                         .argv = with_name(words),
                         .output = output,
                         .confinement = &confinement});
}

void make_target(const std::string& path) {
    unlink(path.c_str());
    const UniqueFd fd(
        open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (!fd)
        fail_with_errno(shown(path));
}

}  // namespace tapgate
