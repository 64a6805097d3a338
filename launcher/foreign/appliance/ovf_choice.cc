// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/foreign/appliance/ovf_choice.h"

#include <algorithm>
#include <vector>

#include "launcher/base/error.h"
#include "launcher/base/text.h"
#include "launcher/foreign/appliance/ovf_hardware.h"
#include "launcher/foreign/appliance/ovf_words.h"
#include "launcher/foreign/translation/xml_document.h"

namespace tapgate {

namespace {

// The VMs in their order, however many collections they are nested in.
std::vector<pugi::xml_node> systems_in(const pugi::xml_node& envelope) {
    std::vector<pugi::xml_node> systems;
    std::vector<pugi::xml_node> left = {envelope};
    while (!left.empty()) {
        const pugi::xml_node next = left.back();
        left.pop_back();
        if (ovf_name(next) == "VirtualSystem") {
            systems.push_back(next);
            continue;
        }
        for (pugi::xml_node child = next.last_child(); child; child = child.previous_sibling()) {
            const std::string name = ovf_name(child);
            if (name == "VirtualSystem" || name == "VirtualSystemCollection")
                left.push_back(child);
        }
    }
    return systems;
}

std::string name_of(const pugi::xml_node& system) {
    return text_of(system, "Name");
}

// Its id, and its name if that is another one.
std::string shown_system(const pugi::xml_node& system) {
    const std::string id = ovf_id(system);
    const std::string name = name_of(system);
    return quoted_word(id) + (name.empty() || name == id ? "" : " (" + shown(name) + ")");
}

// The option as one types it in a shell.
std::string option_for(const pugi::xml_node& system) {
    return shown(shell_text({"--vm=" + ovf_id(system)}));
}

pugi::xml_node chosen_of(const std::vector<pugi::xml_node>& systems, const std::string& wish,
                         const std::string& source) {
    if (systems.empty())
        throw LauncherError(source + ": it contains no VM (VirtualSystem)");
    if (wish.empty() && systems.size() == 1)
        return systems.front();
    for (const auto& name : {ovf_id, name_of}) {
        const auto is_wanted = [&](const pugi::xml_node& one) { return name(one) == wish; };
        const auto found = std::find_if(systems.begin(), systems.end(), is_wanted);
        if (wish.empty() || found == systems.end())
            continue;
        if (std::count_if(found, systems.end(), is_wanted) > 1)
            throw LauncherError(
                source + ": several of its VMs are called " + quoted_word(wish) +
                (ovf_id(*found) == wish
                     ? ": give each an id of its own in the descriptor (ovf:id=)"
                     : ": choose one by its id, for example with " + option_for(*found)));
        return *found;
    }
    std::string all;
    for (const pugi::xml_node& one : systems)
        all += (all.empty() ? "" : ", ") + shown_system(one);
    throw LauncherError(
        source + ": " +
        (wish.empty() ? "it contains several VMs: " + terminal_text(all) +
                            "; choose one, for example with " + option_for(systems.front())
                      : "it contains no VM " + quoted_word(wish) + ", but " + terminal_text(all)));
}

// Names the rest of a collection; `inner` is the VM in it, or the collection around that.
void name_collection(const pugi::xml_node& collection, const pugi::xml_node& inner, size_t vms,
                     Translation& translation) {
    translation.dropped(tag_of(collection),
                        vms == 1 ? "its only VM is imported" : "one of its VMs is imported");
    for (const pugi::xml_node& section : collection.children()) {
        const std::string name = ovf_name(section);
        const bool is_idle =
            name == "Info" &&
            !says_more(own_text(section), name_of(collection) + " " + ovf_id(collection));
        if (section.type() == pugi::node_element && section != inner && name != "VirtualSystem" &&
            !is_idle && (name != "Name" || name_of(collection) != ovf_id(collection)))
            translation.dropped(tag_of(section) + (name == local_name(section.name()) ? "" : name) +
                                    contents_of(section),
                                "tapgate has no setting for it");
    }
}

}  // namespace

std::string ovf_id(const pugi::xml_node& system) {
    const std::string id = attribute_of(system, "id");
    return id.empty() ? name_of(system) : id;
}

pugi::xml_node choose_ovf_system(const pugi::xml_node& envelope, const std::string& wish,
                                 const std::string& source, Translation& translation) {
    const std::vector<pugi::xml_node> systems = systems_in(envelope);
    const pugi::xml_node found = chosen_of(systems, wish, source);
    pugi::xml_node inner = found;
    for (pugi::xml_node around = found.parent(); around != envelope; around = around.parent()) {
        name_collection(around, inner, systems.size(), translation);
        inner = around;
    }
    for (const pugi::xml_node& other : systems) {
        if (other != found)
            translation.dropped(tag_of(other), "another VM, " + shown_system(other) + "; " +
                                                   option_for(other) + " imports it");
    }
    return found;
}

std::string choose_ovf_configuration(const pugi::xml_node& envelope, const std::string& wish,
                                     const std::string& source, Translation& translation) {
    const pugi::xml_node section = ovf_section(envelope, "DeploymentOptionSection");
    std::string chosen;
    std::string all;
    size_t several = 0;
    bool has_wish = wish.empty();
    std::string defaults;
    size_t default_count = 0;
    for (const pugi::xml_node& one : section.children()) {
        if (local_name(one.name()) != "Configuration")
            continue;
        const std::string id = attribute_of(one, "id");
        const std::string said = attribute_of(one, "default");
        const bool is_default = said == "true" || said == "1";
        if (chosen.empty() || is_default)
            chosen = id;
        if (is_default) {
            defaults += (defaults.empty() ? "" : ", ") + id;
            default_count++;
        }
        has_wish = has_wish || id == wish;
        const std::string label = text_of(one, "Label");
        all += (all.empty() ? "" : ", ") + id;
        if (says_more(label, id))
            all += " (" + label + ")";
        several++;
    }
    if (!has_wish)
        throw LauncherError(
            source + ": it has no configuration " + quoted_word(wish) +
            (all.empty() ? ", and no other one either" : ", but " + terminal_text(all)));
    if (!wish.empty())
        chosen = wish;
    if (chosen.empty())
        return chosen;
    std::string why =
        several == 1 ? "the appliance offers no other one" : "the appliance offers " + all;
    if (wish.empty() && several > 1)
        why += (default_count > 1
                    ? ", and calls several the default (" + defaults + "), of which the last counts"
                    : std::string(", and this one is the default")) +
               "; --configuration=ID chooses another";
    // With the descriptions, each of which may be a few lines.
    translation.changed(tag_of(section) + contents_of(section), "configuration " + chosen, why);
    return chosen;
}

}  // namespace tapgate
