// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/image/catalogue.h"

#include <algorithm>

#include "launcher/base/download.h"
#include "launcher/base/files.h"
#include "launcher/base/text.h"
#include "launcher/vm/file_text.h"

namespace tapgate {

namespace {

const std::vector<std::string_view> image_keys = {"url", "sums", "format"};

// The image of a section, from the settings after its header.
CatalogueImage image_in(const Setting& header, const std::string& name,
                        const std::vector<Setting>& settings) {
    CatalogueImage image;
    image.name = name;
    for (const Setting& setting : settings) {
        if (setting.key == "disk" || setting.key == "cdrom" || setting.key == "kernel" ||
            setting.key == "initrd")
            throw wrong_setting(setting, "the image is the VM's first disk; others are the user's");
        if ((setting.key == "url" || setting.key == "sums") && !is_url(setting.value))
            throw wrong_setting(setting, quoted_word(setting.value) +
                                             " is not like https://HOST/PATH, http: or file:");
        if (setting.key == "format" && setting.value != "qcow2" && setting.value != "raw")
            throw wrong_setting(setting, quoted_word(setting.value) + " is neither qcow2 nor raw");
        if (setting.key == "url")
            image.url = setting.value;
        else if (setting.key == "sums")
            image.sums = setting.value;
        else if (setting.key == "format")
            image.format = setting.value;
        else
            image.settings.push_back(setting);
    }
    if (image.url.empty())
        throw wrong_setting(header, "[" + name + "] has no url");
    return image;
}

}  // namespace

std::vector<CatalogueImage> parse_catalogue(const std::string& path, std::string_view text) {
    std::vector<CatalogueImage> images;
    text = without_byte_order_mark(text);
    unsigned number = 0;
    while (!text.empty()) {
        // A header; before the first, nothing is allowed.
        const std::string_view line = text.substr(0, text.find('\n'));
        text.remove_prefix(std::min(line.size() + 1, text.size()));
        const Setting place = line_place(path, ++number, line);
        const std::string_view content = trimmed(line);
        if (content.empty() || content.front() == '#' || content.front() == ';')
            continue;
        if (!content.starts_with('[') || !content.ends_with(']'))
            throw wrong_setting(place, "an image begins with its name, like [debian-13]");
        const std::string name(trimmed(content.substr(1, content.size() - 2)));
        if (!VmName::parse(name))
            throw wrong_setting(place, quoted_word(name) +
                                           " is not a name: a letter, then letters, digits, '.', "
                                           "'_' and '-', 40 bytes at most");
        if (std::any_of(images.begin(), images.end(),
                        [&](const CatalogueImage& one) { return one.name == name; }))
            throw wrong_setting(place, "there is a [" + name + "] already");
        const std::string_view body = text;
        const unsigned first_line = number + 1;
        size_t length = 0;
        while (!text.empty()) {
            const std::string_view next = text.substr(0, text.find('\n'));
            if (trimmed(next).starts_with('['))
                break;
            number++;
            length += std::min(next.size() + 1, text.size());
            text.remove_prefix(std::min(next.size() + 1, text.size()));
        }
        images.push_back(
            image_in(place, name,
                     parse_vm_file(path, body.substr(0, length),
                                   {.first_line = first_line, .own_keys = image_keys})));
    }
    return images;
}

std::string catalogue_path() {
    return TAPGATE_IMAGES;
}

std::vector<CatalogueImage> read_catalogue() {
    constexpr size_t most = 1024UL * 1024;
    const auto text = read_file(catalogue_path(), most);
    return text ? parse_catalogue(catalogue_path(), *text) : std::vector<CatalogueImage>();
}

}  // namespace tapgate
