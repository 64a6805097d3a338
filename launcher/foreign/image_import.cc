// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/foreign/image_import.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "common/unique_fd.h"
#include "launcher/base/child_process.h"
#include "launcher/base/error.h"
#include "launcher/base/files.h"
#include "launcher/base/qemu_img.h"
#include "launcher/base/text.h"
#include "launcher/image/disk_image.h"
#include "launcher/image/vmdk_descriptor.h"

namespace tapgate {

namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;

constexpr std::string_view part = ".part.";

// The image as qemu-img's --image-opts: the drivers that are named here and no other.
std::string image_options(const SourceImage& image) {
    std::string text = "driver=" + std::string(name_of(image.format));
    std::string file = "file.";
    if (image.size > 0) {
        text += ",file.driver=raw,file.offset=" + std::to_string(image.offset) +
                ",file.size=" + std::to_string(image.size);
        file = "file.file.";
    }
    return text + "," + file + "driver=file," + file + "filename=" + commas_doubled(image.path);
}

// The unfinished image: removed unless it becomes the target.
class UnfinishedImage {
  public:
    explicit UnfinishedImage(const std::string& target)
        : target_(target), path_(target + std::string(part) + std::to_string(getpid())) {
        remove_left_over();
    }
    ~UnfinishedImage() { unlink(path_.c_str()); }
    UnfinishedImage(const UnfinishedImage&) = delete;
    UnfinishedImage& operator=(const UnfinishedImage&) = delete;

    [[nodiscard]] const std::string& path() const { return path_; }

    void finish() const {
        const UniqueFd fd(open(path_.c_str(), O_RDONLY | O_CLOEXEC));
        // link() refuses where there is one already, which rename() does not.
        if (!fd || fsync(fd.get()) != 0 || chmod(path_.c_str(), 0600) != 0 ||
            link(path_.c_str(), target_.c_str()) != 0)
            fail_with_errno(shown(target_));
    }

  private:
    // Of imports that were killed.
    void remove_left_over() const {
        const std::filesystem::path target(target_);
        const std::string beginning = target.filename().string() + std::string(part);
        for (const std::filesystem::path& entry : entries_of(target.parent_path())) {
            const std::string name = entry.filename().string();
            if (!name.starts_with(beginning))
                continue;
            const auto pid = parse_whole<pid_t>(std::string_view(name).substr(beginning.size()), 1);
            if (pid && kill(*pid, 0) != 0 && errno == ESRCH)
                unlink(entry.c_str());
        }
    }

    std::string target_;
    std::string path_;
};

nlohmann::json qemu_img_json(const std::vector<std::string>& words, const FileAccess& files,
                             const std::string& what) {
    const ProgramResult result = run_qemu_img(words, files, minutes(5));
    if (result.exit_code != 0)
        throw LauncherError(shown(what) + ": " + terminal_text(result.errors));
    auto json = nlohmann::json::parse(result.output, nullptr, false);
    if (!json.is_object())
        throw LauncherError("qemu-img, of " + shown(what) + ": not the answer expected");
    return json;
}

void check_space(const SourceImage& image, const FileAccess& files, const std::string& directory) {
    const auto json = qemu_img_json(
        {"measure", "--output=json", "-O", "qcow2", "--image-opts", image_options(image)}, files,
        image.path);
    const std::uint64_t needed = json.value("required", std::uint64_t{0});
    struct statvfs status {};
    if (statvfs(directory.c_str(), &status) != 0)
        fail_with_errno(shown(directory));
    const std::uint64_t available = std::uint64_t{status.f_bavail} * status.f_frsize;
    constexpr std::uint64_t mebibyte = 1024ULL * 1024;
    if (needed > available)
        throw LauncherError("no room for " + shown(image.path) + " in " + shown(directory) + ": " +
                            std::to_string(needed / mebibyte + 1) + " MiB needed, " +
                            std::to_string(available / mebibyte) + " MiB free");
}

// "    (12.50/100%)\r" of qemu-img -p, and whatever else it says.
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

void convert(const SourceImage& image, FileAccess files, const std::string& target,
             const HeldSignals& signals, const Progress& progress) {
    Pipe output = make_pipe();
    make_target(target);
    files.write.push_back(target);
    ChildProcess child = start_qemu_img(
        {"convert", "-p", "-O", "qcow2", "--image-opts", image_options(image), target}, files,
        output.writing.get());
    output.writing.reset();
    ConvertWords words(progress);
    // No limit in time: images are as large as they are. It ends with its output.
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
        words.take({buffer.data(), static_cast<size_t>(got)});
    }
    const auto end = child.wait(minutes(1));
    if (!end || !end->in_order())
        throw LauncherError("qemu-img convert " + shown(image.path) + ": " +
                            (end ? end->text() : "it does not end") + ": " + words.errors());
}

// Throws when qemu-img finds the image damaged.
void check_structure(const SourceImage& image, const FileAccess& files, const std::string& what) {
    constexpr int only_leaks = 3;     // space that is lost and harms nobody
    constexpr int cannot_check = 63;  // a format without anything to check
    const ProgramResult result =
        run_qemu_img({"check", "-q", "--image-opts", image_options(image)}, files, minutes(30));
    if (result.exit_code != 0 && result.exit_code != only_leaks && result.exit_code != cannot_check)
        throw LauncherError(what + ": " + terminal_text(result.errors + result.output));
}

}  // namespace

std::vector<std::string> check_source_image(const SourceImage& image) {
    if (image.size > 0) {
        if (image.format != ImageFormat::vmdk)
            throw LauncherError(shown(image.path) + ": only vmdk images are in an archive");
        check_archived_vmdk(image.path, image.offset, image.size);
        return {};
    }
    const auto path = HostPath::parse(image.path, "/");
    if (!path)
        throw LauncherError(shown(image.path) + ": the path is not UTF-8");
    const auto looks = format_by_content(image.path);
    if (image.format != ImageFormat::raw && looks != image.format)
        throw LauncherError(shown(image.path) + " is no " + std::string(name_of(image.format)) +
                            " image" +
                            (looks ? ": it looks like " + std::string(name_of(*looks)) +
                                         "; if it is, say --format=" + std::string(name_of(*looks))
                                   : ", or damaged"));
    if (image.format == ImageFormat::vmdk)
        return check_vmdk_extents(image.path);
    if (image.format == ImageFormat::qcow2) {
        const Qcow2Names names = read_qcow2_names(image.path);
        if (!names.backing.empty() || names.has_data_file)
            throw LauncherError(shown(image.path) + " is only a part: its " +
                                (names.backing.empty()
                                     ? "data are in another file"
                                     : "backing file is " + quoted_word(names.backing)) +
                                "; make a whole of it where it comes from: qemu-img convert -O "
                                "qcow2");
    }
    return {};
}

ImageImport::ImageImport(const std::string& directory) : directory_(directory) {
    make_private_directory(directory);
}

ImageImport::~ImageImport() {
    for (const std::string& path : imported_)
        unlink(path.c_str());
    // Only when nothing is in it.
    rmdir(directory_.c_str());
}

void ImageImport::import(const SourceImage& image, const std::string& name,
                         const Progress& progress) {
    const std::string target = directory_ + "/" + name;
    if (access(target.c_str(), F_OK) == 0)
        throw LauncherError(shown(target) + " is there already");
    const FileAccess files{.read = {image.path}, .parts = check_source_image(image), .write = {}};
    const UnfinishedImage unfinished(target);
    // What is cut off would be read as zeroes.
    check_structure(image, files, shown(image.path) + " is damaged");
    check_space(image, files, directory_);
    convert(image, files, unfinished.path(), signals_, progress);
    check_structure({.path = unfinished.path(), .format = ImageFormat::qcow2},
                    {.read = {unfinished.path()}, .parts = {}, .write = {}},
                    shown(image.path) + ": what it was converted to is damaged");
    signals_.throw_if_any();
    unfinished.finish();
    imported_.push_back(target);
}

void ImageImport::make_blank(const std::string& name, std::uint64_t size) {
    const std::string target = directory_ + "/" + name;
    if (access(target.c_str(), F_OK) == 0)
        throw LauncherError(shown(target) + " is there already");
    const UnfinishedImage unfinished(target);
    const ProgramResult made = run_program(
        {"qemu-img", "create", "-q", "-f", "qcow2", unfinished.path(), std::to_string(size)});
    if (made.exit_code != 0)
        throw LauncherError("cannot make " + shown(target) + ": " + terminal_text(made.errors));
    signals_.throw_if_any();
    unfinished.finish();
    imported_.push_back(target);
}

}  // namespace tapgate
