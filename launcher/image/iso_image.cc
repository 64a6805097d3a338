// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/image/iso_image.h"

#include <archive.h>
#include <archive_entry.h>

#include <memory>

#include "launcher/base/error.h"
#include "launcher/base/text.h"

namespace tapgate {

namespace {

struct FreeArchive {
    void operator()(archive* one) const { archive_write_free(one); }
};
struct FreeEntry {
    void operator()(archive_entry* one) const { archive_entry_free(one); }
};

la_ssize_t append(archive* /*unused*/, void* image, const void* bytes, size_t size) {
    static_cast<std::string*>(image)->append(static_cast<const char*>(bytes), size);
    return static_cast<la_ssize_t>(size);
}

}  // namespace

std::string iso_image(const std::string& label,
                      const std::vector<std::pair<std::string, std::string>>& files) {
    std::string image;
    const std::unique_ptr<archive, FreeArchive> writer(archive_write_new());
    const auto check = [&](la_ssize_t result) {
        if (result < ARCHIVE_OK) {
            const char* const why = archive_error_string(writer.get());
            throw LauncherError("cannot make a CD-ROM image: " +
                                (why == nullptr ? std::string("no memory") : terminal_text(why)));
        }
    };
    if (!writer)
        throw LauncherError("cannot make a CD-ROM image: no memory");
    check(archive_write_set_format_iso9660(writer.get()));
    check(archive_write_set_option(writer.get(), "iso9660", "volume-id", label.c_str()));
    check(archive_write_set_bytes_per_block(writer.get(), 2048));
    check(archive_write_open(writer.get(), &image, nullptr, append, nullptr));
    for (const auto& [name, text] : files) {
        const std::unique_ptr<archive_entry, FreeEntry> entry(archive_entry_new());
        if (!entry)
            throw LauncherError("cannot make a CD-ROM image: no memory");
        archive_entry_set_pathname(entry.get(), name.c_str());
        archive_entry_set_size(entry.get(), static_cast<la_int64_t>(text.size()));
        archive_entry_set_filetype(entry.get(), AE_IFREG);
        archive_entry_set_perm(entry.get(), 0444);
        check(archive_write_header(writer.get(), entry.get()));
        check(archive_write_data(writer.get(), text.data(), text.size()));
    }
    check(archive_write_close(writer.get()));
    return image;
}

}  // namespace tapgate
