// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/network/agent_files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>

#include "common/unique_fd.h"
#include "launcher/base/error.h"
#include "launcher/base/files.h"
#include "launcher/base/stop_signals.h"
#include "launcher/base/text.h"
#include "launcher/base/unfinished_file.h"
#include "launcher/network/agent_connection.h"

namespace tapgate {

namespace {

using nlohmann::json;
using Kind = QmpError::Kind;
using Clock = AgentConnection::Clock;

// In bytes. QEMU's channel takes little at a time, and each piece costs a question and an answer.
constexpr size_t piece_size = size_t{48} * 1024;

// After a failure, closing is not given the whole time again.
constexpr std::chrono::milliseconds close_limit{500};

// A smaller file has been copied before anybody could read the progress.
constexpr std::uint64_t least_shown = std::uint64_t{4} << 20U;

std::string last_part(const std::string& path) {
    const size_t end = path.find_last_not_of('/');
    const std::string whole = end == std::string::npos ? "" : path.substr(0, end + 1);
    std::string part = whole.substr(whole.rfind('/') + 1);
    if (part.empty() || part == "." || part == "..")
        throw LauncherError(quoted_word(path) + " is no file's name");
    return part;
}

// As with scp: a relative path starts in root's home.
std::string path_in_guest(const std::string& path) {
    return path.starts_with('/') ? path : "/root/" + path;
}

// A file that the agent has opened. The destructor closes it.
class GuestFile {
  public:
    GuestFile(const AgentCopy& copy, const std::string& path, const char* mode)
        : copy_(copy), agent_(copy.socket, Clock::now() + copy.answer_limit) {
        handle_ = asked("guest-file-open", {{"path", path}, {"mode", mode}});
        if (!handle_.is_number_integer())
            throw QmpError(Kind::broken, "the guest agent does not say what it has opened");
    }
    ~GuestFile() {
        try {
            if (!closed_)
                asked("guest-file-close", {{"handle", handle_}}, close_limit);
        } catch (const std::exception&) {  // NOLINT(bugprone-empty-catch)
            // The failure has been reported already.
        }
    }
    GuestFile(const GuestFile&) = delete;
    GuestFile& operator=(const GuestFile&) = delete;

    // The next piece; empty at the end.
    std::string read() {
        const json answer = asked("guest-file-read", {{"handle", handle_}, {"count", piece_size}});
        const auto text = answer.is_object() ? answer.find("buf-b64") : answer.end();
        if (!answer.is_object() || text == answer.end() || !text->is_string())
            throw QmpError(Kind::broken, "the guest agent does not say what it has read");
        std::string bytes = agent_bytes(text->get_ref<const std::string&>());
        if (bytes.size() > piece_size)
            throw QmpError(Kind::broken, "the guest agent sends more than it was asked for");
        return bytes;
    }

    void write(std::string_view bytes) {
        while (!bytes.empty()) {
            const json answer =
                asked("guest-file-write",
                      {{"handle", handle_}, {"buf-b64", agent_text(bytes.substr(0, piece_size))}});
            const auto count = answer.is_object() ? answer.find("count") : answer.end();
            const auto written =
                answer.is_object() && count != answer.end() && count->is_number_unsigned()
                    ? count->get<std::uint64_t>()
                    : 0;
            if (written == 0 || written > std::min(bytes.size(), piece_size))
                throw QmpError(Kind::broken, "the guest agent has not written what it was given");
            bytes.remove_prefix(written);
        }
    }

    // When this returns, everything that was written is there.
    void close() {
        asked("guest-file-flush", {{"handle", handle_}});
        closed_ = true;
        asked("guest-file-close", {{"handle", handle_}});
    }

  private:
    json asked(const char* command, const json& arguments) {
        return asked(command, arguments, copy_.answer_limit);
    }
    json asked(const char* command, const json& arguments, std::chrono::milliseconds limit) {
        agent_.extend(Clock::now() + limit);
        return agent_.execute(command, arguments);
    }

    const AgentCopy& copy_;
    AgentConnection agent_;
    json handle_;
    bool closed_ = false;
};

std::string too_much(const std::string& path, std::uint64_t most) {
    return shown(path) + " has more than " + std::to_string(most >> 20U) +
           " MiB, which is too much for the agent; with a network it goes by ssh";
}

bool is_directory(const std::string& path) {
    struct stat status {};
    return stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode);
}

// The file that will become `path`, with the mode of an existing one. If `path` is not a regular
// file, it is written to directly, and `unfinished` stays empty.
UniqueFd target_at(const std::string& path, std::optional<UnfinishedFile>& unfinished) {
    struct stat status {};
    const bool there = stat(path.c_str(), &status) == 0;
    if (!there || S_ISREG(status.st_mode)) {
        constexpr mode_t by_umask = 0666;
        return unfinished.emplace(path).create(there ? status.st_mode & 0777 : by_umask);
    }
    UniqueFd fd(open(path.c_str(), O_WRONLY | O_CLOEXEC | O_NOCTTY));
    if (!fd)
        fail_with_errno(shown(path));
    return fd;
}

}  // namespace

void copy_to_guest(const AgentCopy& copy, const std::string& from, const std::string& to) {
    const UniqueFd fd(open(from.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
    struct stat status {};
    if (!fd || fstat(fd.get(), &status) != 0)
        fail_with_errno(shown(from));
    if (S_ISDIR(status.st_mode))
        throw LauncherError(shown(from) +
                            " is a directory, and the agent takes files only: tar -cf FILE " +
                            shell_word(from) + ", and that");
    if (!S_ISREG(status.st_mode))
        throw LauncherError(shown(from) + " is no file");
    const auto size = static_cast<std::uint64_t>(status.st_size);
    if (size > copy.most)
        throw LauncherError(too_much(from, copy.most));
    const HeldSignals signals;
    std::string path = path_in_guest(to);
    if (path.ends_with('/'))
        path += last_part(from);
    const auto write = [&] {
        GuestFile file(copy, path, "wb");
        std::uint64_t written = 0;
        read_pieces(fd.get(), from, [&](std::string_view bytes) {
            for (; !bytes.empty(); bytes.remove_prefix(std::min(bytes.size(), piece_size))) {
                signals.throw_if_any();
                const std::string_view piece = bytes.substr(0, piece_size);
                file.write(piece);
                written += piece.size();
                if (written > copy.most)
                    throw LauncherError(too_much(from, copy.most));
                if (copy.progress && size > least_shown)
                    copy.progress(std::min(
                        100.0, 100.0 * static_cast<double>(written) / static_cast<double>(size)));
            }
        });
        file.close();
    };
    try {
        write();
    } catch (const QmpError& error) {
        if (std::string_view(error.what()).find("s a directory") == std::string_view::npos)
            throw;
        path += "/" + last_part(from);
        write();
    }
}

void copy_from_guest(const AgentCopy& copy, const std::string& from, const std::string& to) {
    const HeldSignals signals;
    GuestFile file(copy, path_in_guest(from), "rb");
    const std::string path = is_directory(to) ? to + "/" + last_part(from) : to;
    std::optional<UnfinishedFile> unfinished;
    const UniqueFd target = target_at(path, unfinished);
    std::uint64_t read = 0;
    for (std::string piece = file.read(); !piece.empty(); piece = file.read()) {
        signals.throw_if_any();
        read += piece.size();
        if (read > copy.most)
            throw LauncherError(too_much(from, copy.most));
        if (!write_all(target.get(), piece))
            fail_with_errno(shown(path));
    }
    if (unfinished)
        unfinished->replace();
}

}  // namespace tapgate
