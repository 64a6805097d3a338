// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/image/store.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <thread>

#include "common/unique_fd.h"
#include "launcher/base/directories.h"
#include "launcher/base/download.h"
#include "launcher/base/error.h"
#include "launcher/base/files.h"
#include "launcher/base/output.h"
#include "launcher/base/sha256.h"
#include "launcher/base/text.h"
#include "launcher/base/unfinished_file.h"

namespace tapgate {

namespace {

constexpr size_t longest_list = 1024UL * 1024;
constexpr std::uint64_t bytes_in_mebibyte = 1024ULL * 1024;

// The checksum of the file in the list at `url`. Throws a NotThere when there is no list.
std::optional<Checksum> listed_checksum(const std::string& url, const std::string& file,
                                        const HeldSignals& signals) {
    return checksum_in(download_text(url, longest_list, signals), file);
}

std::optional<Checksum> published_checksum(const RemoteImage& image, const HeldSignals& signals,
                                           std::vector<std::string>& notes) {
    if (image.checksum)
        return image.checksum;
    const std::string file = file_name_of(image.url);
    if (!image.sums.empty()) {
        auto found = listed_checksum(image.sums, file, signals);
        if (!found)
            throw LauncherError(shown(image.sums) + " has no checksum of " + shown(file) +
                                "; say it with --sha256=HEX");
        return found;
    }
    const std::string directory = image.url.substr(0, image.url.rfind('/') + 1);
    for (const char* list : {"SHA256SUMS", "SHA512SUMS"}) {
        try {
            if (auto found = listed_checksum(directory + list, file, signals))
                return found;
        } catch (const NotThere&) {
            continue;
        }
    }
    notes.push_back("nothing says what " + shown(file) +
                    " should be: there is no SHA256SUMS beside it; --sha256=HEX would check it");
    return std::nullopt;
}

// The beginning of the file's name here.
std::string stem_of(const std::string& url) {
    std::string stem = file_name_of(url);
    for (const char* ending : {".qcow2", ".img", ".raw", ".iso"}) {
        if (stem.ends_with(ending))
            stem.resize(stem.size() - std::string_view(ending).size());
    }
    constexpr size_t longest = 100;
    stem.resize(std::min(stem.size(), longest));
    std::replace_if(
        stem.begin(), stem.end(),
        [](char c) {
            return !((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                     c == '.' || c == '-' || c == '_');
        },
        '-');
    if (stem.empty() || stem.front() == '.')
        stem.insert(0, "image");
    return stem;
}

std::string name_here(const RemoteImage& image, const std::string& digest) {
    return stem_of(image.url) + "-" + digest.substr(0, 12) + "." + image.ending;
}

// The path of the note beside an image, which says where it came from and what it is.
std::string note_path(const std::string& image) {
    return image + ".json";
}

struct Origin {
    std::string url;
    std::string tag;     // the server's tag for this content; empty: none
    std::string sha256;  // its checksum
    std::string sha512;
};

std::optional<Origin> origin_of(const std::string& image) {
    const auto text = read_file(note_path(image));
    const auto json = text ? nlohmann::json::parse(*text, nullptr, false) : nlohmann::json();
    if (!json.is_object() || !exists(image))
        return std::nullopt;
    const auto word = [&](const char* key) {
        const auto found = json.find(key);
        return found != json.end() && found->is_string() ? found->get<std::string>() : "";
    };
    return Origin{
        .url = word("url"), .tag = word("tag"), .sha256 = word("sha256"), .sha512 = word("sha512")};
}

void write_origin(const std::string& image, const Origin& origin) {
    const nlohmann::json json = {{"url", origin.url},
                                 {"tag", origin.tag},
                                 {"sha256", origin.sha256},
                                 {"sha512", origin.sha512}};
    replace_file(note_path(image), json_text(json));
}

// Searches the store for an image for which `is_it` is true.
template <typename Condition>
std::string stored(const Condition& is_it) {
    for (const auto& entry : entries_of(image_store())) {
        std::string path = entry.string();
        if (path.ends_with(".json"))
            continue;
        if (const auto origin = origin_of(path); origin && is_it(*origin))
            return path;
    }
    return {};
}

// A download in progress: a file that one process at a time holds, and the server's tag for it.
class Part {
  public:
    Part(const std::string& url, const HeldSignals& signals)
        : path_(image_store() + "/." + hex_text(sha256(url)).substr(0, 16) + ".part") {
        bool told = false;
        for (;;) {
            fd_ = UniqueFd(open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
            if (!fd_)
                fail_with_errno(shown(path_));
            if (flock(fd_.get(), LOCK_EX | LOCK_NB) == 0) {
                struct stat status {};
                if (fstat(fd_.get(), &status) != 0)
                    fail_with_errno(shown(path_));
                size_ = static_cast<std::uint64_t>(status.st_size);
                // While we waited, it may have become an image, or been removed.
                if (status.st_nlink > 0)
                    break;
                continue;
            }
            if (!told)
                note("another tapgate is fetching " + shown(url) + "; waiting for it");
            told = true;
            signals.throw_if_any();
            std::this_thread::sleep_for(std::chrono::milliseconds(200));
        }
        tag_ = read_file(path_ + ".tag").value_or("");
    }

    ~Part() {
        struct stat status {};
        if (fstat(fd_.get(), &status) == 0 && status.st_size == 0 && status.st_nlink > 0)
            discard();
    }
    Part(const Part&) = delete;
    Part& operator=(const Part&) = delete;

    [[nodiscard]] const std::string& path() const { return path_; }
    [[nodiscard]] const std::string& tag() const { return tag_; }
    [[nodiscard]] std::uint64_t size() const { return tag_.empty() ? 0 : size_; }

    // How much of it the next try will find, as a part of a line; empty: nothing.
    [[nodiscard]] std::string kept() const {
        struct stat status {};
        if (fstat(fd_.get(), &status) != 0 || status.st_size == 0 || status.st_nlink == 0 ||
            !exists(path_ + ".tag"))
            return {};
        return "; " +
               std::to_string(static_cast<std::uint64_t>(status.st_size) / bytes_in_mebibyte) +
               " MiB are here, and the same command goes on there";
    }

    void begin(const DownloadBeginning& beginning) {
        const std::uint64_t offset = beginning.offset;
        const std::uint64_t total = beginning.total;
        if (ftruncate(fd_.get(), static_cast<off_t>(offset)) != 0 ||
            lseek(fd_.get(), 0, SEEK_END) < 0)
            fail_with_errno(shown(path_));
        if (offset == 0)
            unlink((path_ + ".tag").c_str());
        if (!beginning.tag.empty())
            replace_file(path_ + ".tag", beginning.tag);
        struct statvfs space {};
        if (fstatvfs(fd_.get(), &space) != 0)
            fail_with_errno(shown(path_));
        const std::uint64_t available = std::uint64_t{space.f_bavail} * space.f_frsize;
        if (total > offset + available)
            throw LauncherError("no room in " + shown(image_store()) + ": " +
                                std::to_string((total - offset) / bytes_in_mebibyte + 1) +
                                " MiB needed, " + std::to_string(available / bytes_in_mebibyte) +
                                " MiB free; XDG_DATA_HOME names another place");
    }
    void add(std::string_view bytes) {
        if (write_all(fd_.get(), bytes))
            return;
        const int error = errno;
        // Better to lose the part than to leave the disk full.
        if (error == ENOSPC || error == EDQUOT)
            discard();
        errno = error;
        fail_with_errno(shown(image_store()));
    }
    void discard() {
        unlink((path_ + ".tag").c_str());
        unlink(path_.c_str());
    }
    // Makes it the image `target`.
    void finish(const std::string& target) {
        if (fchmod(fd_.get(), 0444) != 0 || fsync(fd_.get()) != 0 ||
            rename(path_.c_str(), target.c_str()) != 0)
            fail_with_errno(shown(target));
        unlink((path_ + ".tag").c_str());
    }

  private:
    std::string path_;
    UniqueFd fd_;
    std::uint64_t size_ = 0;
    std::string tag_;
};

// Downloads all of it into `part`, or finds that the image with `known_tag`, which is here, has not
// changed.
DownloadAnswer fetch(const RemoteImage& image, Part& part, const std::string& known_tag,
                     const HeldSignals& signals, const Progress& progress) {
    std::uint64_t now = 0;
    std::uint64_t all = 0;
    const DownloadTaker taker{
        .begin =
            [&](const DownloadBeginning& beginning) {
                part.begin(beginning);
                now = beginning.offset;
                all = beginning.total;
            },
        .take =
            [&](std::string_view bytes) {
                part.add(bytes);
                now += bytes.size();
                if (progress && all > 0)
                    progress(100.0 * static_cast<double>(now) / static_cast<double>(all));
            }};
    const DownloadRequest request{
        .url = image.url, .from = part.size(), .tag = part.tag(), .known_tag = known_tag};
    try {
        return download(request, taker, signals);
    } catch (const LauncherError& error) {
        throw LauncherError(error.what() + part.kept(), error.code());
    }
}

}  // namespace

std::string image_store() {
    return data_directory() + "/.images";
}

std::string file_name_of(const std::string& url) {
    const std::string path = url.substr(0, url.find_first_of("?#"));
    return path.substr(path.rfind('/') + 1);
}

StoredImage fetch_image(const RemoteImage& image, const Progress& progress) {
    const HeldSignals signals;
    StoredImage result;
    if (image.url.starts_with("http:") && !image.checksum)
        result.notes.push_back("over http anybody on the way can change " +
                               shown(file_name_of(image.url)) +
                               " and its checksum; https, or --sha256=HEX, says what it should be");
    make_private_directory(data_directory());
    make_private_directory(image_store());
    const auto checksum = published_checksum(image, signals, result.notes);
    const auto fits = [&](const Origin& origin) {
        return checksum ? checksum->hex() == origin.sha256 || checksum->hex() == origin.sha512
                        : origin.url == image.url && !origin.tag.empty();
    };
    Part part(image.url, signals);
    // From here on: nobody else downloads it. By now it may be here.
    const std::string here = stored(fits);
    if (checksum && !here.empty()) {
        part.discard();
        result.path = here;
        return result;
    }
    const DownloadAnswer answer =
        fetch(image, part, here.empty() ? "" : origin_of(here)->tag, signals, progress);
    if (answer.unchanged) {
        part.discard();
        result.path = here;
        return result;
    }
    const FileChecksums found = checksums_of(part.path(), signals, progress);
    if (checksum && checksum->hex() != found.sha256 && checksum->hex() != found.sha512) {
        part.discard();
        throw LauncherError(shown(image.url) + " is not what its checksum says: it is " +
                            (checksum->is_sha512() ? found.sha512 : found.sha256) + ", and not " +
                            checksum->hex() +
                            "; nothing of it was kept. Try again later (a mirror may be behind), "
                            "and take no other than the one that was meant");
    }
    // Without a list or a tag to say that it is here, it was downloaded again. Keep the existing
    // file: VMs depend on it, and replacing it even by the same content would be a change to them.
    result.path = stored([&](const Origin& one) { return one.sha256 == found.sha256; });
    if (!result.path.empty()) {
        part.discard();
        return result;
    }
    result.path = image_store() + "/" + name_here(image, found.sha256);
    const bool lost_its_note =
        exists(result.path) && checksums_of(result.path, signals, progress).sha256 == found.sha256;
    // The note first, so that there is never an image without one.
    write_origin(
        result.path,
        {.url = image.url, .tag = answer.tag, .sha256 = found.sha256, .sha512 = found.sha512});
    if (lost_its_note)
        part.discard();
    else
        part.finish(result.path);
    return result;
}

}  // namespace tapgate
