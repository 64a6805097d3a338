// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/cli/new_verbs.h"

#include <algorithm>
#include <string>
#include <vector>

#include "launcher/base/download.h"
#include "launcher/base/files.h"
#include "launcher/base/output.h"
#include "launcher/base/progress_bar.h"
#include "launcher/base/text.h"
#include "launcher/cli/operand.h"
#include "launcher/image/catalogue.h"
#include "launcher/image/seed.h"
#include "launcher/image/store.h"
#include "launcher/vm/file.h"
#include "launcher/vm/values.h"

namespace tapgate {

namespace {

std::optional<std::uint64_t> size_option(const CommandLine& command) {
    if (!command.has("size"))
        return std::nullopt;
    const auto size = MemorySize::parse(command.option("size"));
    if (!size)
        throw UsageError("--size: " + quoted_word(command.option("size")) +
                         " is not a size, like 512M or 20G, up to 16T");
    constexpr std::uint64_t mebibyte = 1024ULL * 1024;
    return size->mebibytes() * mebibyte;
}

// What the user can do with the VM now.
std::string next_steps(const VmName& name, bool is_cdrom, bool is_seeded) {
    const std::string& vm = name.str();
    if (is_cdrom)
        return "next: tapgate run " + vm +
               " (an installer that writes to the serial console), or tapgate start " + vm +
               " --display=vnc, then tapgate vnc " + vm;
    if (is_seeded)
        return "next: tapgate start " + vm + " && tapgate wait " + vm + " && tapgate ssh " + vm;
    return "next: tapgate start " + vm + ", then tapgate console " + vm +
           " (a cloud image lets nobody in without --seed)";
}

// What --from names: an image, which is here in the end, and the settings for a VM made from it.
struct Source {
    Setting image;
    std::vector<Setting> settings;
};

// The ending for the image's name here, which says its format.
std::string ending_of(const std::string& url, const std::string& format) {
    if (!format.empty())
        return format;
    const std::string name = file_name_of(url);
    for (const char* ending : {"qcow2", "img", "raw", "iso"}) {
        if (name.ends_with("." + std::string(ending)))
            return ending;
    }
    if (const std::string way = way_to_a_disk(name); !way.empty())
        throw LauncherError("download " + shown(url) + " first: it" + way);
    throw LauncherError("--from: the name does not tell the image's format; say " + shown(url) +
                        ",format=qcow2 or " + shown(url) + ",format=raw");
}

Setting fetched(const CommandLine& command, const CatalogueImage& image) {
    RemoteImage remote{.url = image.url,
                       .ending = ending_of(image.url, image.format),
                       .sums = image.sums,
                       .checksum = Checksum::parse(command.option("sha256"))};
    if (command.has("sha256") && !remote.checksum)
        throw UsageError("--sha256: " + quoted_word(command.option("sha256")) +
                         " is not 64 hex digits, as sha256sum(1) prints them");
    ProgressBar bar(file_name_of(image.url));
    const StoredImage stored = fetch_image(remote, [&](double percent) { bar.show(percent); });
    for (const std::string& one : stored.notes)
        note(one);
    return image_setting(commas_doubled(stored.path) +
                         (image.format.empty() ? "" : ",format=" + image.format));
}

// The URL and the format in "URL,format=qcow2".
CatalogueImage image_at(const std::string& word) {
    std::vector<std::string> words = split_at_commas(word);
    CatalogueImage image{.name = {}, .url = words[0], .sums = {}, .format = {}, .settings = {}};
    for (size_t i = 1; i < words.size(); i++) {
        if (words[i] != "format=qcow2" && words[i] != "format=raw")
            throw UsageError("--from: " + quoted_word(words[i]) +
                             ": behind an URL there can be format=qcow2 or format=raw; a comma "
                             "that belongs to the URL is written twice");
        image.format = words[i].substr(words[i].find('=') + 1);
    }
    return image;
}

bool is_file(const std::string& word) {
    return word.find('/') != std::string::npos || exists(word) ||
           exists(split_at_commas(word).front());
}

CatalogueImage named_image(const std::string& word) {
    std::vector<CatalogueImage> images = read_catalogue();
    std::string names;
    for (CatalogueImage& image : images) {
        if (image.name == word)
            return std::move(image);
        names.append(names.empty() ? "" : ", ").append(image.name);
    }
    throw LauncherError(quoted_word(word) + ": there is no such file, and " +
                        shown(catalogue_path()) +
                        (names.empty() ? " knows no images" : " knows only " + names));
}

Source source_of(const CommandLine& command) {
    const std::string from = command.option("from");
    if (!is_url(from) && is_file(from)) {
        if (command.has("sha256"))
            throw UsageError("--sha256 is of what is downloaded; a file is compared by sha256sum");
        if (const std::string path = exists(from) ? from : split_at_commas(from).front();
            exists(path))
            require_file(path);
        return {image_setting(from), {}};
    }
    const CatalogueImage image = is_url(from) ? image_at(from) : named_image(from);
    Source source{fetched(command, image), {}};
    // Settings on the command line take precedence.
    for (const Setting& setting : image.settings) {
        if (std::none_of(command.settings.begin(), command.settings.end(),
                         [&](const Setting& one) { return one.key == setting.key; }))
            source.settings.push_back(setting);
    }
    return source;
}

}  // namespace

void make_shown(const NewVm& vm) {
    const std::string image = vm.from.value.substr(0, vm.from.value.find(','));
    ProgressBar bar("reading " + shown(image));
    for (const std::string& one : make_vm(vm, [&](double percent) { bar.show(percent); }))
        note(one);
    print(shown(vm_file_path(vm.name)) + "\n");
}

ExitCode new_vm(const CommandLine& command) {
    const VmName name = command.vm_name();
    const std::string from = command.option("from");
    if (from.empty())
        throw UsageError(
            "new needs --from=IMAGE: a disk image, an installer's .iso, an URL, or a name in " +
            shown(catalogue_path()) + "; tapgate create " + name.str() + " describes a VM without");
    const auto size = size_option(command);
    require_new(name);
    // Before an image is downloaded or read, which takes time. (The environment counts, too.)
    const auto is_seeded = [&](const std::vector<Setting>& settings) {
        return describe_unfiled_vm(name, settings).spec.seed;
    };
    if (is_seeded(command.settings))
        own_seed_user();
    Source source = source_of(command);
    source.settings.insert(source.settings.end(), command.settings.begin(), command.settings.end());
    if (is_seeded(source.settings))
        own_seed_user();
    make_shown({.name = name, .from = source.image, .size = size, .settings = source.settings});
    note(next_steps(name, source.image.key == "cdrom", is_seeded(source.settings)));
    return ExitCode::done;
}

}  // namespace tapgate
