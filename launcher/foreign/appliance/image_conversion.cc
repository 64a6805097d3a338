// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/foreign/appliance/image_conversion.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <string_view>

#include "common/unique_fd.h"
#include "launcher/base/child_process.h"
#include "launcher/base/error.h"
#include "launcher/base/files.h"
#include "launcher/base/qemu_img.h"
#include "launcher/base/text.h"

namespace tapgate {

namespace {

using std::chrono::minutes;

// Reads "    (12.50/100%)\r" of qemu-img -p, and keeps whatever else it says.
class ConvertWords {
  public:
    explicit ConvertWords(const Progress& progress) : progress_(progress) {}

    void take(std::string_view text) {
        for (const char c : text) {
            if (c == '\r' || c == '\n')
                take_line();
            else if (line_.size() < longest)
                line_ += c;
        }
    }

    std::string errors() {
        take_line();
        return terminal_text(errors_);
    }

  private:
    static constexpr size_t longest = 1024;

    void take_line() {
        const size_t open = line_.find('(');
        double percent = 0;
        if (open != std::string::npos && line_.find("/100%)") != std::string::npos) {
            std::from_chars(line_.data() + open + 1, line_.data() + line_.size(), percent);
            progress_(percent);
        } else if (!line_.empty() && errors_.size() < longest) {
            errors_ += (errors_.empty() ? "" : "\n") + line_;
        }
        line_.clear();
    }

    const Progress& progress_;
    std::string line_;
    std::string errors_;
};

}  // namespace

void require_room(std::uint64_t needed, const std::string& directory, const std::string& what) {
    struct statvfs status {};
    if (statvfs(directory.c_str(), &status) != 0)
        fail_with_errno(shown(directory));
    const std::uint64_t available = std::uint64_t{status.f_bavail} * status.f_frsize;
    constexpr std::uint64_t mebibyte = 1024ULL * 1024;
    if (needed > available)
        throw LauncherError("no room for " + shown(what) + " in " + shown(directory) + ": " +
                            std::to_string(needed / mebibyte + 1) + " MiB needed, " +
                            std::to_string(available / mebibyte) + " MiB free");
}

void convert_image(const std::vector<std::string>& words, FileAccess files,
                   const UnfinishedFile& target, const HeldSignals& signals,
                   const Progress& progress, const std::string& what) {
    Pipe output = make_pipe();
    // So that qemu-img finds the file in place.
    static_cast<void>(target.create(0600));
    files.write.push_back(target.path());
    std::vector<std::string> all{"convert", "-p"};
    all.insert(all.end(), words.begin(), words.end());
    all.push_back(target.path());
    ChildProcess child = start_qemu_img(all, files, output.writing.get());
    output.writing.reset();
    ConvertWords said(progress);
    // There is no time limit, as images may be of any size. The loop ends when qemu-img's output
    // does.
    for (;;) {
        std::array<pollfd, 2> fds{pollfd{output.reading.get(), POLLIN, 0},
                                  pollfd{signals.fd(), POLLIN, 0}};
        if (poll(fds.data(), fds.size(), -1) < 0 && errno != EINTR)
            fail_with_errno("poll");
        signals.throw_if_any();
        std::array<char, 4096> buffer{};
        if (fds[0].revents == 0)
            continue;
        const ssize_t got = read(output.reading.get(), buffer.data(), buffer.size());
        if (got <= 0)
            break;
        said.take({buffer.data(), static_cast<size_t>(got)});
    }
    const auto end = child.wait(minutes(1));
    if (!end || !end->in_order())
        throw LauncherError("qemu-img convert " + shown(what) + ": " +
                            (end ? end->text() : "it does not end") + ": " + said.errors());
}

}  // namespace tapgate
