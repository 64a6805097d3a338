// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/cli/import_verbs.h"

#include <unistd.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "launcher/base/directories.h"
#include "launcher/base/error.h"
#include "launcher/base/files.h"
#include "launcher/base/output.h"
#include "launcher/base/progress_bar.h"
#include "launcher/base/question.h"
#include "launcher/base/stop_signals.h"
#include "launcher/base/text.h"
#include "launcher/base/unfinished_file.h"
#include "launcher/cli/foreign_variables.h"
#include "launcher/cli/operand.h"
#include "launcher/foreign/appliance/archived_vm.h"
#include "launcher/foreign/appliance/files.h"
#include "launcher/foreign/appliance/foreign_file.h"
#include "launcher/foreign/appliance/image_import.h"
#include "launcher/foreign/appliance/ovf.h"
#include "launcher/foreign/appliance/ovf_hardware.h"
#include "launcher/foreign/appliance/vm_archive.h"
#include "launcher/foreign/domain/domain_xml.h"
#include "launcher/foreign/domain/export.h"
#include "launcher/foreign/translation/translation.h"
#include "launcher/image/disk_image.h"
#include "launcher/qemu/firmware.h"
#include "launcher/qemu/machine_version.h"
#include "launcher/run/host.h"
#include "launcher/vm/data_directory.h"
#include "launcher/vm/description.h"
#include "launcher/vm/file.h"
#include "launcher/vm/file_text.h"
#include "launcher/vm/setting.h"
#include "launcher/vm/values.h"

namespace tapgate {

namespace {

// For an OVF descriptor or a domain's XML, in bytes.
constexpr size_t most_description = 1024UL * 1024;

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

// The image's format. Never guessed from its content: a raw image holds whatever its guest wrote.
ImageFormat format_of(const CommandLine& command, const std::string& path) {
    // First, since the file's name may be mistyped.
    require_file(path);
    if (command.has("format"))
        return parse_image_format(command.option("format"));
    if (const auto way_out = instead_of_description(path); !way_out.empty())
        throw LauncherError(shown(path) + ": " + std::string(way_out));
    if (const std::string way_out = way_to_a_disk(path); !way_out.empty())
        throw LauncherError(shown(path) + way_out);
    const auto [format, known] = format_by_name(path);
    if (in_small_letters(path).ends_with(".iso"))
        throw LauncherError(
            shown(path) + ": it is a CD-ROM: `tapgate new NAME --from=" + shell_word(path) +
            "' makes a VM with it and an empty disk, and `tapgate run " + shell_word(path) +
            "' starts one without a disk; for a disk that is called so, add "
            "--format=raw");
    if (const auto way_out = instead_of_contents(path); !known && !way_out.empty())
        throw LauncherError(shown(path) + ": " + std::string(way_out));
    if (!known)
        throw UsageError("the name of " + shown(path) +
                         " does not tell its format: add --format=raw, --format=qcow2, ...");
    return parse_image_format(format);
}

// What is to be imported: images to convert, and the rest of the VM.
struct Import {
    std::unique_ptr<ApplianceFiles> appliance;
    std::vector<ApplianceDisk> disks;     // the appliance's
    std::vector<SourceImage> images;      // one without a path is blank
    std::vector<std::string> properties;  // by disk; none: as a foreign guest needs them
    std::optional<SourceImage> variables = std::nullopt;  // the UEFI's
    bool asks = false;  // its settings name things that are not the VM's alone
    Translation translation;
};

std::string read_description(const std::string& path) {
    auto text = read_file(path, most_description);
    if (!text)
        throw LauncherError(shown(path) + ": no such file");
    return std::move(*text);
}

// The machine for a foreign guest: what every guest has drivers for.
Import image_to_import(const CommandLine& command, const std::string& path) {
    Import result;
    result.images.push_back({.path = path, .format = format_of(command, path)});
    result.disks.emplace_back();
    result.translation.set("machine", "q35");
    result.translation.set(
        "net", command.has("virtio") ? "bridge:br0,model=virtio" : "bridge:br0,model=e1000");
    result.translation.set("display", "vnc");
    return result;
}

bool says(const CommandLine& command, std::string_view key) {
    return std::any_of(command.settings.begin(), command.settings.end(),
                       [&](const Setting& one) { return one.key == key; });
}

bool says_q35(const CommandLine& command) {
    return std::any_of(command.settings.begin(), command.settings.end(), [](const Setting& one) {
        const auto machine = one.key == "machine" ? MachineType::parse(one.value) : std::nullopt;
        return machine && machine->is_q35();
    });
}

Appliance read_descriptor(const CommandLine& command, ApplianceFiles& files,
                          const std::string& path) {
    try {
        return read_ovf(files.descriptor(), shown(path),
                        {.virtio = command.has("virtio"),
                         .q35 = says_q35(command),
                         .cpus = says(command, "cpus"),
                         .memory = says(command, "memory"),
                         .vm = command.option("vm"),
                         .configuration = command.option("configuration")});
    } catch (const LauncherError&) {
        // If it is damaged, this tells why it cannot be read.
        files.check_manifests();
        throw;
    }
}

Import appliance_to_import(const CommandLine& command, const std::string& path) {
    Import result;
    result.appliance = std::make_unique<ApplianceFiles>(path);
    if (!result.appliance->vm_file().empty()) {
        const std::string& name = result.appliance->vm_name();
        for (const char* const option : {"virtio", "vm", "configuration"}) {
            if (command.has(option))
                throw UsageError("--" + std::string(option) + ": the archive already describes " +
                                 name);
        }
        ArchivedVm vm = read_archived_vm(result.appliance->vm_file(), path + ":" + name + ".conf");
        result.translation.name = name;
        for (const auto& [key, value] : vm.settings)
            result.translation.set(key, value);
        result.disks = std::move(vm.disks);
        result.properties = std::move(vm.disk_properties);
        result.variables = result.appliance->variables();
        result.asks = true;
        return result;
    }
    Appliance appliance = read_descriptor(command, *result.appliance, path);
    result.translation = std::move(appliance.translation);
    result.translation.set("display", "vnc");
    result.disks = std::move(appliance.disks);
    return result;
}

// A guest of libvirt's first years has no format in its description: it was the file's. What a
// guest writes to a raw disk may look like one, too, so this is only said.
void note_formats(Translation& domain) {
    const auto settings = domain.settings;
    for (const auto& [key, value] : settings) {
        const std::vector<std::string> words = split_at_commas(value);
        if (key != "disk" || std::find(words.begin(), words.end(), "format=raw") == words.end())
            continue;
        try {
            if (const auto format = format_by_content(words.at(0)))
                domain.added("disk = " + value, "the file looks like " +
                                                    std::string(name_of(*format)) +
                                                    ", which libvirt took it for before 0.8.3: for "
                                                    "that, --disk=FILE,format=" +
                                                    std::string(name_of(*format)));
        } catch (const LauncherError&) {
            // Nobody can look into it, or it is not there yet: the VM's start says so.
        }
    }
}

Import found(const CommandLine& command, const std::string& path) {
    // An image may begin as anything.
    const ForeignFile kind = command.has("format") ? ForeignFile::image : foreign_file(path);
    if (kind == ForeignFile::archive || kind == ForeignFile::descriptor)
        return appliance_to_import(command, path);
    for (const char* const option : {"vm", "configuration"}) {
        if (command.has(option))
            throw UsageError("--" + std::string(option) +
                             ": only appliances (.ova, .ovf) have several");
    }
    if (kind == ForeignFile::domain) {
        Import result;
        result.translation = translate_domain(read_description(path), shown(path));
        note_formats(result.translation);
        result.asks = true;
        const Translation& domain = result.translation;
        if (access(domain.variables.c_str(), R_OK) == 0)
            result.variables =
                SourceImage{.path = domain.variables, .format = domain.variables_format};
        return result;
    }
    return image_to_import(command, path);
}

// Asks about the files that the guest will read, the disks that it will write to, and everything
// else that reaches beyond the VM: whoever wrote the description has chosen them.
void ask_about_reach(const CommandLine& command, const Translation& translation,
                     const std::string& source) {
    std::string list;
    if (access(translation.variables.c_str(), R_OK) == 0)
        list += "  " + shown(translation.variables) + " (read)\n";
    for (const auto& [key, value] : translation.settings) {
        if (says(command, key) || (key != "disk" && !reaches_beyond_vm(key, value)))
            continue;
        const std::vector<std::string> words = split_at_commas(value);
        const bool writes =
            key == "disk" && std::find(words.begin(), words.end(), "readonly=on") == words.end();
        const bool is_file = key == "cdrom" || key == "kernel" || key == "initrd";
        if (key == "disk" || is_file)
            list += "  " + shown(key == "disk" ? words.at(0) : value) +
                    (writes ? " (read and written)\n" : " (read)\n");
        else
            list += "  " + key + " = " + shown(value) + "\n";
    }
    if (list.empty() || command.has("yes"))
        return;
    if (!can_ask())
        throw LauncherError(shown(source) + " gives these of this host to the guest:\n" + list +
                            "this is not a terminal, so nobody can be asked; --yes agrees to it");
    if (!agreed(shown(source) + " gives these of this host to the guest:\n" + list +
                "May it have them"))
        throw LauncherError("nothing was imported");
}

constexpr const char* virtio_hint =
    "the guest needs virtio drivers to boot: in a Linux guest `dracut -f --add-drivers "
    "\"virtio_blk virtio_pci virtio_net\"' (or virtio_blk in /etc/initramfs-tools/modules) before "
    "it "
    "is moved, in Windows the virtio-win drivers";

// Long texts (a license, in Japanese too) would hide what the user has to know.
void print_notes(const std::vector<TranslationNote>& notes, const std::string& file,
                 std::string_view text, const std::string& source) {
    constexpr size_t longest = 300;
    // An appliance may have hundreds of items for other configurations.
    constexpr std::ptrdiff_t most_of_others = 10;
    const auto is_of_another = [](const TranslationNote& one) {
        return one.why == for_another_configuration;
    };
    const auto others = std::count_if(notes.begin(), notes.end(), is_of_another);
    bool cut = false;
    bool complete = true;
    for (TranslationNote one : notes) {
        if (others > most_of_others && is_of_another(one))
            continue;
        if (one.was.size() > longest) {
            cut = true;
            complete = complete && text.find(note_text(one)) != std::string_view::npos;
        }
        one.was = terminal_text(one.was, longest);
        note(note_text(one));
    }
    if (others > most_of_others)
        note(std::to_string(others) + " parts are for other configurations: see " + shown(file));
    if (cut)
        note(complete ? "notes that end in ... are complete in " + shown(file)
                      : "for notes that end in ..., " + shown(file) +
                            " has no room: what they are about is in " + shown(source));
}

std::string in_mebibytes(std::uint64_t bytes) {
    return std::to_string(bytes >> 20U) + " MiB";
}

// An appliance may give a disk more room than its file has, or may state too little.
void grow_to_capacity(ImageImport& images, const std::string& image, const ApplianceDisk& disk,
                      Translation& translation) {
    if (disk.capacity == 0)
        return;
    const std::uint64_t before = images.grow(image, disk.capacity);
    if (before < disk.capacity)
        translation.changed(disk.file, "a disk of " + in_mebibytes(disk.capacity),
                            "as large as the appliance says; the file has " + in_mebibytes(before));
    else if (before >> 20U > disk.capacity >> 20U)
        translation.changed(
            disk.file, "a disk of " + in_mebibytes(before),
            "as large as the file is; the appliance says " + in_mebibytes(disk.capacity));
}

// Where the content of the appliance's disks is.
void take_images(Import& import) {
    for (const ApplianceDisk& disk : import.disks) {
        if (disk.file.empty()) {
            import.images.emplace_back();
            continue;
        }
        if (const std::string odd = import.appliance->odd_size(disk); !odd.empty())
            import.translation.dropped(
                disk.file + " of " + std::to_string(disk.file_size) + " bytes", odd);
        import.images.push_back(import.appliance->image_of(disk));
    }
}

// The VM's disks, as its images will be in `directory`.
void set_disks(Import& import, const std::string& directory, bool on_virtio) {
    if (import.appliance)
        take_images(import);
    size_t sata_disks = 0;
    for (size_t i = 0; i < import.images.size(); i++) {
        if (!import.images[i].path.empty())
            check_source_image(import.images[i]);
        std::string value = commas_doubled(directory + "/" + own_image_name(i)) + ",format=qcow2";
        const DiskBus bus = on_virtio ? DiskBus::virtio : import.disks.at(i).bus;
        if (i < import.properties.size()) {
            value += import.properties[i].empty() ? "" : "," + import.properties[i];
        } else if (bus == DiskBus::sata && ++sata_disks > most_sata) {
            value += ",bus=scsi";
            import.translation.added(
                "disk = " + value,
                "there is room for 6 SATA disks: for this one, on virtio-scsi, the guest needs a "
                "driver");
        } else {
            value += ",bus=" + std::string(word_for(bus, disk_buses));
        }
        import.translation.set("disk", value);
    }
}

void convert_images(Import& import, ImageImport& images, const std::string& operand) {
    for (size_t i = 0; i < import.images.size(); i++) {
        if (import.images[i].path.empty()) {
            images.make_blank(own_image_name(i), import.disks[i].capacity);
            continue;
        }
        ProgressBar bar(operand);
        images.import(import.images[i], own_image_name(i),
                      [&](double percent) { bar.show(percent); });
        grow_to_capacity(images, own_image_name(i), import.disks[i], import.translation);
    }
}

// Writes the VM as a domain, with its UEFI variables beside it. Returns what is missing in it.
std::vector<std::string> export_domain(const VmName& name, const std::string& path) {
    const VmSpec spec = load_vm_file(name).spec;
    const std::string exists_already = " is there already; remove it, or take another name";
    const std::string variables = uefi_variables_path(name, spec.firmware);
    std::string copy;
    if (!variables.empty() && exists(variables))
        // The name that libvirt itself would use.
        copy = path.substr(0, path.rfind('.')) + "_VARS.fd";
    DomainText domain = domain_text(spec, vm_owner(), copy);
    for (const std::string& one : {path, copy}) {
        if (!one.empty() && exists(one))
            throw LauncherError(shown(one) + exists_already);
    }
    // Never one without the other.
    const HeldSignals signals;
    if (!copy.empty())
        write_raw_variables(variables, copy);
    try {
        write_new_file(path, domain.xml, shown(path) + exists_already);
    } catch (const LauncherError&) {
        unlink(copy.c_str());
        throw;
    }
    if (!copy.empty())
        note("its UEFI variables, which it names, are " + shown(copy));
    return std::move(domain.left_out);
}

}  // namespace

ExitCode import_vm(const CommandLine& command) {
    const std::string& operand = command.operands.at(0);
    // Before the whole archive is read.
    if (command.operands.size() > 1)
        require_new(parse_vm_name(command.operands[1]));
    Import import = found(command, absolute_path(operand));
    Translation& translation = import.translation;
    const VmName name = command.operands.size() > 1 ? parse_vm_name(command.operands[1])
                        : translation.name.empty()  ? name_of_image(operand)
                                                    : parse_vm_name(translation.name);
    require_new(name);
    if (import.appliance) {
        import.appliance->check_manifests();
        if (const std::string said = import.appliance->manifest_note(); !said.empty())
            note(said);
    }
    translation.rename(name.str());
    if (import.asks)
        ask_about_reach(command, translation, operand);
    const std::string directory = vm_data_directory(name);
    set_disks(import, directory, command.has("virtio"));
    std::vector<Setting> settings = settings_of(translation, current_directory(), command.settings);
    const VmSpec spec = describe_vm(name, settings).spec;
    settings = with_machine_version(settings, spec.machine);
    // Empty when its firmware has none.
    const std::string variables = uefi_variables_path(name, spec.firmware);
    if (import.variables)
        import.variables = fitting_variables(*import.variables, spec, import.translation);
    // From here on: only the host can be in the way.
    ImageImport images(directory);
    convert_images(import, images, operand);
    const std::string text = translation.notes.empty()
                                 ? vm_file_text(name, settings)
                                 : annotated_vm_file(name, settings, translation);
    if (import.variables && !variables.empty())
        images.import(*import.variables, variables.substr(variables.rfind('/') + 1), [](double) {});
    write_new_vm_file(name, text);
    images.keep();
    const std::string file = vm_file_path(name);
    print_notes(translation.notes, file, text, operand);
    if (command.has("virtio"))
        note(virtio_hint);
    // The last note: those before it say why.
    if (const std::string said = nothing_to_boot(name, settings, file); !said.empty())
        note(said);
    print(shown(file) + "\n");
    return ExitCode::done;
}

ExitCode export_vm(const CommandLine& command) {
    const VmName name = command.vm_name();
    const std::string path = absolute_path(command.operands.at(1));
    std::vector<std::string> left_out;
    if (path.ends_with(".ova") || path.ends_with(".tar")) {
        ProgressBar bar(name.str());
        left_out = write_vm_archive(name, vm_owner(), path,
                                    uefi_variables_path(name, load_vm_file(name).spec.firmware),
                                    [&](double percent) { bar.show(percent); });
    } else if (path.ends_with(".xml")) {
        left_out = export_domain(name, path);
    } else {
        throw UsageError(quoted_word(command.operands[1]) +
                         " is neither a file.ova (an appliance), nor a file.tar (for tapgate "
                         "import), nor a file.xml (a domain of libvirt's, whose images stay where "
                         "they are)");
    }
    for (const std::string& one : left_out)
        note("not in it: " + one);
    print(shown(path) + "\n");
    return ExitCode::done;
}

}  // namespace tapgate
