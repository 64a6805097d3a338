// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/foreign/appliance/foreign_file.h"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <initializer_list>
#include <memory>
#include <string_view>

#include "common/unique_fd.h"
#include "launcher/base/text.h"
#include "launcher/foreign/translation/translation.h"
#include "launcher/foreign/translation/xml_document.h"

namespace tapgate {

namespace {

bool ends_with_one_of(std::string_view name, std::initializer_list<std::string_view> endings) {
    return std::any_of(endings.begin(), endings.end(),
                       [&](std::string_view ending) { return name.ends_with(ending); });
}

struct FreeArchive {
    void operator()(archive* one) const { archive_read_free(one); }
};

// Does the text begin with the header of a tar archive, gzipped or not?
bool begins_as_archive(std::string_view text) {
    const std::unique_ptr<archive, FreeArchive> reader(archive_read_new());
    archive_entry* entry = nullptr;
    return reader && archive_read_support_filter_gzip(reader.get()) == ARCHIVE_OK &&
           archive_read_support_format_tar(reader.get()) == ARCHIVE_OK &&
           archive_read_open_memory(reader.get(), text.data(), text.size()) == ARCHIVE_OK &&
           archive_read_next_header(reader.get(), &entry) == ARCHIVE_OK;
}

// Enough of the file to recognize it; empty if it cannot be read, which is reported elsewhere.
std::string beginning_of(const std::string& path) {
    std::string text(16384, '\0');
    const UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
    const ssize_t got = fd ? pread(fd.get(), text.data(), text.size(), 0) : 0;
    text.resize(static_cast<size_t>(std::max<ssize_t>(got, 0)));
    return text;
}

// The local name of the first element; empty if the text does not begin like XML.
std::string_view first_element(std::string_view text) {
    if (text.starts_with("\xef\xbb\xbf"))
        text.remove_prefix(3);
    for (;;) {
        text = trimmed(text, " \t\r\n");
        if (!text.starts_with('<'))
            return {};
        std::string_view end;  // of a declaration or a comment
        if (text.starts_with("<?"))
            end = "?>";
        else if (text.starts_with("<!--"))
            end = "-->";
        else
            return local_name(text.substr(1, text.find_first_of(" \t\r\n/>") - 1));
        const size_t at = text.find(end);
        if (at == std::string_view::npos)
            return {};
        text.remove_prefix(at + end.size());
    }
}

}  // namespace

bool is_of_vcloud(std::string_view element) {
    return element == "VApp" || element == "VAppTemplate" || element == "Vm";
}

ForeignFile foreign_file(const std::string& path) {
    const std::string name = in_small_letters(path);
    if (ends_with_one_of(name, {".ova", ".ova.gz", ".tar", ".tar.gz", ".tgz"}))
        return ForeignFile::archive;
    if (name.ends_with(".ovf"))
        return ForeignFile::descriptor;
    const bool is_xml = name.ends_with(".xml");
    if (!is_xml && format_by_name(name).second)
        return ForeignFile::image;
    const std::string text = beginning_of(path);
    const std::string_view element = first_element(text);
    if (element == "Envelope" || is_of_vcloud(element))
        return ForeignFile::descriptor;
    if (is_xml || !element.empty())
        return ForeignFile::domain;
    return begins_as_archive(text) ? ForeignFile::archive : ForeignFile::image;
}

std::string_view instead_of_contents(const std::string& path) {
    const std::string text = "\n" + beginning_of(path);
    for (const char* const key : {"\nconfig.version = ", "\nvirtualHW.version = "}) {
        if (text.find(key) != std::string::npos)
            return instead_of_description(".vmx");
    }
    return {};
}

}  // namespace tapgate
