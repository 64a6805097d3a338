// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/import_verbs.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <utility>
#include <vector>

#include "launcher/directories.h"
#include "launcher/error.h"
#include "launcher/files.h"
#include "launcher/image_import.h"
#include "launcher/output.h"
#include "launcher/text.h"
#include "launcher/translation.h"
#include "launcher/vm_file.h"
#include "launcher/vm_operand.h"

namespace tapgate {

namespace {

// On a terminal a bar that grows, else a line for each quarter.
class ProgressBar {
  public:
    explicit ProgressBar(std::string what) : what_(std::move(what)) {}
    ~ProgressBar() {
        if (terminal_ && drawn_)
            std::fputs("\r\033[K", stderr);
    }
    ProgressBar(const ProgressBar&) = delete;
    ProgressBar& operator=(const ProgressBar&) = delete;

    void show(double percent) {
        constexpr int width = 40;
        const int whole = std::clamp(static_cast<int>(percent), 0, 100);
        if (terminal_) {
            drawn_ = true;
            const std::string bar(static_cast<size_t>(whole * width / 100), '#');
            std::fprintf(stderr, "\r%s [%-*s] %3d%%", what_.c_str(), width, bar.c_str(), whole);
        } else if (whole / 25 > quarter_) {
            quarter_ = whole / 25;
            note(what_ + ": " + std::to_string(whole) + "%");
        }
    }

  private:
    std::string what_;
    bool terminal_ = isatty(STDERR_FILENO) == 1;
    bool drawn_ = false;
    int quarter_ = 0;
};

ImageFormat parse_image_format(std::string_view word) {
    for (const ImageFormat format : {ImageFormat::raw, ImageFormat::qcow2, ImageFormat::vmdk,
                                     ImageFormat::vdi, ImageFormat::vhdx, ImageFormat::vpc}) {
        if (word == name_of(format))
            return format;
    }
    if (word == "vhd")
        return ImageFormat::vpc;
    throw UsageError("--format=" + shown(word) + ": it can be raw, qcow2, vmdk, vdi, vhdx or vpc");
}

// Never what is in the image: a raw one holds whatever its guest wrote.
ImageFormat format_of(const CommandLine& command, const std::string& path) {
    if (command.has("format"))
        return parse_image_format(command.option("format"));
    const auto [format, known] = format_by_name(path);
    if (!known)
        throw UsageError("the name of " + shown(path) +
                         " does not tell its format: add --format=raw, --format=qcow2, ...");
    return parse_image_format(format);
}

std::string absolute(const std::string& path) {
    return path.starts_with('/') ? path : current_directory() + "/" + path;
}

// A foreign guest's machine: what every guest has drivers for, and less that it may lack.
std::vector<std::pair<std::string, std::string>> foreign_machine(bool virtio,
                                                                 const std::string& disk) {
    return {
        {"machine", "q35"},
        {"disk", with_doubled_commas(disk) + ",format=qcow2,bus=" + (virtio ? "virtio" : "sata")},
        {"net", std::string("bridge:br0,model=") + (virtio ? "virtio" : "e1000")},
        {"display", "vnc"}};
}

constexpr const char* virtio_hint =
    "the guest needs virtio drivers to boot: in a Linux guest `dracut -f --add-drivers "
    "\"virtio_blk virtio_pci virtio_net\"' (or virtio_blk in /etc/initramfs-tools/modules) before "
    "it "
    "is moved, in Windows the virtio-win drivers";

}  // namespace

int import_vm(const CommandLine& command) {
    const std::string& operand = command.operands.at(0);
    const SourceImage image{.path = absolute(operand), .format = format_of(command, operand)};
    const VmName name =
        command.operands.size() > 1 ? parse_vm_name(command.operands[1]) : name_of_image(operand);
    const std::string file = vm_file_path(name);
    const std::string exists = shown(file) + ": there is a VM of this name already";
    if (has_vm_file(name))
        throw LauncherError(exists);
    check_source_image(image);
    const std::string directory = data_directory() + "/" + name.str();
    const std::string disk = "disk.qcow2";
    Translation translation;
    for (const auto& [key, value] : foreign_machine(command.has("virtio"), directory + "/" + disk))
        translation.set(key, value);
    const std::vector<Setting> settings = settings_of(translation, "/", command.settings);
    describe_vm(name, settings);
    // From here on: only the host can be in the way.
    ImageImport images(directory);
    {
        ProgressBar bar(operand);
        images.import(image, disk, [&](double percent) { bar.show(percent); });
    }
    write_new_file(file, vm_file_text(name, settings), exists);
    images.keep();
    if (command.has("virtio"))
        note(virtio_hint);
    print(shown(file) + "\n");
    return 0;
}

}  // namespace tapgate
