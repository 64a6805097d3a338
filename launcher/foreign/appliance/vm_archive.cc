// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/foreign/appliance/vm_archive.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <list>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "common/unique_fd.h"
#include "launcher/base/error.h"
#include "launcher/base/files.h"
#include "launcher/base/qemu_img.h"
#include "launcher/base/sha256.h"
#include "launcher/base/stop_signals.h"
#include "launcher/base/text.h"
#include "launcher/base/unfinished_file.h"
#include "launcher/foreign/appliance/archived_vm.h"
#include "launcher/foreign/appliance/image_conversion.h"
#include "launcher/foreign/appliance/ovf_export.h"
#include "launcher/foreign/appliance/tar_archive.h"
#include "launcher/image/base_image.h"
#include "launcher/image/disk_image.h"
#include "launcher/image/lock.h"
#include "launcher/vm/data_directory.h"
#include "launcher/vm/file.h"
#include "launcher/vm/state.h"

namespace tapgate {

namespace {

using nlohmann::json;

// A disk of the VM on its way into the archive.
struct Source {
    const Disk* disk = nullptr;
    FileAccess files = {};
    std::uint64_t capacity = 0;
    std::vector<std::string> snapshots = {};
    std::uint64_t room = 0;  // what its copy needs at most
    std::string member = {};
};

// A member of the archive: an existing file, or a text.
struct Member {
    std::string name;
    std::string path = {};  // if empty, the content is `text`
    std::string text = {};
    std::uint64_t size = 0;
    std::string digest = {};
};

json asked(const std::vector<std::string>& words, const Source& source) {
    const std::string& path = source.disk->path.str();
    const ProgramResult result = run_qemu_img(words, source.files, std::chrono::minutes(5));
    if (result.exit_code != 0)
        throw LauncherError(shown(path) + ": " + terminal_text(result.errors));
    auto answer = json::parse(result.output, nullptr, false);
    if (!answer.is_object())
        throw LauncherError("qemu-img gave an unexpected answer about " + shown(path));
    return answer;
}

// `held` keeps other programs from using the image.
Source source_of(const Disk& disk, std::vector<HeldImage>& held) {
    const std::string& path = disk.path.str();
    auto files = access_to(disk);
    if (!files)
        throw LauncherError(shown(path) +
                            ": any file may be its backing file (backing=any); name the files "
                            "instead: backing=FILE,backing=FILE");
    Source source{.disk = &disk, .files = std::move(*files)};
    source.files.read.insert(source.files.read.end(), source.files.write.begin(),
                             source.files.write.end());
    source.files.write.clear();
    for (const std::string& file : source.files.read)
        held.emplace_back(file, HeldImage::For::reading);
    const std::string format(name_of(disk.format));
    const json info = asked({"info", "-f", format, "--output=json", path}, source);
    source.capacity = info.value("virtual-size", std::uint64_t{0});
    for (const json& one : info.value("snapshots", json::array()))
        source.snapshots.push_back(one.value("name", ""));
    source.room = asked({"measure", "-f", format, "-O", "qcow2", "--output=json", path}, source)
                      .value("required", std::uint64_t{0});
    return source;
}

class Export {
  public:
    Export(const VmName& name, const Owner& owner, const std::string& target,
           const std::string& variables, const Progress& progress)
        : name_(name),
          owner_(owner),
          target_(target),
          variables_(variables),
          is_ova_(target.ends_with(".ova")),
          progress_(progress),
          vm_(load_vm_file(name)) {}

    std::vector<std::string> run() {
        if (exists(target_))
            throw LauncherError(shown(target_) +
                                " is there already; remove it, or take another name");
        if (vm_state(name_).qemu != 0)
            throw LauncherError(name_.str() +
                                " is running, and a disk that its guest writes to meanwhile would "
                                "be inconsistent in the export: end it first, with: tapgate stop " +
                                name_.str());
        const UniqueFd lock = lock_vm(name_);
        // From here on, nobody can start the VM.
        check_bases(vm_.spec);
        // The archive is created at once, since the copies beside it take long.
        const UnfinishedFile archive(target_);
        UniqueFd fd = archive.create(0600);
        note_what_is_lost();
        take_disks();
        convert_disks();
        convert_variables();
        write(std::move(fd));
        archive.finish();
        return std::move(left_out_);
    }

  private:
    void take_disks() {
        for (const Disk& disk : vm_.spec.disks) {
            if (disk.path.str() == seed_path(name_)) {
                if (!vm_.spec.seed)
                    left_out_.emplace_back("the seed: tapgate seed NAME makes a new one");
                files_.emplace_back();
                continue;
            }
            for (std::string& odd : check_disk(disk, true))
                left_out_.push_back(std::move(odd));
            Source source = source_of(disk, held_);
            for (const std::string& tag : source.snapshots)
                left_out_.push_back("the snapshot " + shown(tag) + " of " + shown(disk.path.str()));
            source.member = name_.str() + "-disk" + std::to_string(sources_.size()) +
                            (is_ova_ ? ".vmdk" : ".qcow2");
            files_.push_back(source.member);
            sources_.push_back(std::move(source));
        }
        std::uint64_t all = std::uint64_t{1} << 20U;
        std::uint64_t largest = 0;
        for (const Source& source : sources_) {
            all += source.room;
            largest = std::max(largest, source.room);
        }
        // Room for all copies, and for the archive, which grows while they are removed.
        require_room(all + largest, target_.substr(0, target_.rfind('/') + 1), name_.str());
    }

    void convert_disks() {
        for (size_t i = 0; i < sources_.size(); i++) {
            const Source& source = sources_[i];
            const std::string& path = source.disk->path.str();
            std::vector<std::string> words = {"-f", std::string(name_of(source.disk->format)), "-O",
                                              is_ova_ ? "vmdk" : "qcow2"};
            if (is_ova_)
                words.insert(words.end(), {"-o", "subformat=streamOptimized"});
            words.push_back(path);
            const auto part = static_cast<double>(sources_.size());
            disks_.push_back(
                converted(words, source.files, source.member, path, [&](double percent) {
                    progress_((static_cast<double>(i) * 100 + percent) / part);
                }));
        }
    }

    // The variables as they are now, without the snapshots that the file contains.
    void convert_variables() {
        if (variables_.empty() || !exists(variables_))
            return;
        held_.emplace_back(variables_, HeldImage::For::reading);
        others_.push_back(converted({"-f", "qcow2", "-O", "qcow2", variables_},
                                    {.read = {variables_}, .parts = {}, .write = {}},
                                    archived_variables_name(name_.str()), variables_, {}));
    }

    // `words` are qemu-img's arguments, and `path` is the file that they convert.
    Member converted(const std::vector<std::string>& words, const FileAccess& files,
                     const std::string& name, const std::string& path, const Progress& progress) {
        // The copy lies beside the archive, but its name is not derived from the archive's:
        // qemu-img writes the name into a vmdk, where not every character is allowed.
        copies_.emplace_back(target_.substr(0, target_.rfind('/') + 1) + name);
        convert_image(
            words, files, copies_.back(), signals_, progress ? progress : [](double) {}, path);
        Member member{.name = name, .path = copies_.back().path()};
        struct stat status {};
        if (stat(member.path.c_str(), &status) != 0)
            fail_with_errno(shown(member.path));
        member.size = static_cast<std::uint64_t>(status.st_size);
        member.digest = content_hash(member.path, signals_, {});
        return member;
    }

    static Member text_member(const std::string& name, std::string text) {
        Member member{.name = name, .text = std::move(text)};
        member.size = member.text.size();
        member.digest = hex_text(sha256(member.text));
        return member;
    }

    void write(UniqueFd archive) {
        std::vector<Setting> settings = vm_.settings;
        std::erase_if(settings,
                      [](const Setting& one) { return one.source == Setting::Source::built_in; });
        const std::string base = name_.str();
        const Member file = text_member(base + ".conf", archived_vm_text(name_, settings, files_));
        std::vector<Member> members;
        std::string manifest;
        const auto add = [&](Member member) {
            manifest += "SHA256(" + member.name + ")= " + member.digest + "\n";
            members.push_back(std::move(member));
        };
        if (is_ova_) {
            std::vector<OvfDisk> disks;
            for (size_t i = 0; i < disks_.size(); i++)
                disks.push_back({.file = {disks_[i].name, disks_[i].size},
                                 .capacity = sources_[i].capacity,
                                 .bus = sources_[i].disk->bus});
            std::vector<OvfFile> others = {{file.name, file.size}};
            for (const Member& other : others_)
                others.push_back({other.name, other.size});
            add(text_member(base + ".ovf", ovf_text(vm_.spec, owner_, disks, others)));
        }
        add(file);
        for (const Member& other : others_)
            add(other);
        for (const Member& disk : disks_)
            add(disk);
        members.insert(members.begin() + (is_ova_ ? 1 : 0),
                       text_member(base + ".mf", std::move(manifest)));
        TarWriter tar(std::move(archive), target_);
        for (const Member& member : members) {
            if (member.path.empty()) {
                tar.add(member.name, member.text);
                continue;
            }
            tar.add_file(member.name, member.path, [&] { signals_.throw_if_any(); });
            // It is in the archive, which needs the room.
            unlink(member.path.c_str());
        }
        tar.close();
        signals_.throw_if_any();
    }

    void note_what_is_lost() {
        for (const Setting& setting : vm_.settings) {
            if (setting.key == "cdrom" || setting.key == "kernel" || setting.key == "initrd" ||
                setting.key == "share" || setting.key == "vnc-password-file")
                left_out_.push_back(setting.key + " = " + shown(setting.value) +
                                    ": the archive has its name, but not the file");
        }
    }

    const VmName& name_;
    const Owner& owner_;
    const std::string& target_;
    const std::string& variables_;
    bool is_ova_;
    const Progress& progress_;
    HeldSignals signals_;
    VmDescription vm_;
    std::vector<std::string> left_out_;
    std::vector<HeldImage> held_;
    std::vector<Source> sources_;
    std::vector<std::string> files_;  // for each disk's setting, the member with it; empty if none
    std::list<UnfinishedFile> copies_;
    std::vector<Member> disks_;
    std::vector<Member> others_;
};

}  // namespace

std::string archived_variables_name(const std::string& name) {
    return name + "-uefi-variables.qcow2";
}

void write_raw_variables(const std::string& variables, const std::string& target) {
    const HeldSignals signals;
    const HeldImage held(variables, HeldImage::For::reading);
    const UnfinishedFile unfinished(target);
    convert_image(
        {"-f", "qcow2", "-O", "raw", variables}, {.read = {variables}, .parts = {}, .write = {}},
        unfinished, signals, [](double) {}, variables);
    signals.throw_if_any();
    unfinished.finish();
}

std::vector<std::string> write_vm_archive(const VmName& name, const Owner& owner,
                                          const std::string& target, const std::string& variables,
                                          const Progress& progress) {
    return Export(name, owner, target, variables, progress).run();
}

}  // namespace tapgate
