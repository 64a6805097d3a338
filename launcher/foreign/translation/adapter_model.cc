// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/foreign/translation/adapter_model.h"

#include <algorithm>
#include <iterator>

namespace tapgate {

namespace {

struct Model {
    std::string_view name;   // QEMU's
    std::string_view model;  // ours; empty if none is like it
    std::string_view instead;
};

constexpr Model models[] = {
    {"virtio", "virtio", {}},
    {"virtio-transitional", "virtio", {}},
    {"virtio-non-transitional", "virtio", {}},
    {"virtio-net", "virtio", {}},
    {"virtio-net-pci", "virtio", {}},
    {"virtio-net-pci-transitional", "virtio", {}},
    {"virtio-net-pci-non-transitional", "virtio", {}},
    {"e1000", "e1000", {}},
    {"e1000-82540em", "e1000", {}},
    // macOS has a driver for the last only.
    {"e1000-82544gc", {}, "e1000"},
    {"e1000-82545em", {}, "e1000"},
    {"e1000e", "e1000e", {}},
    {"igb", {}, "e1000e"},
    {"rtl8139", "rtl8139", {}},
    {"ne2k_pci", {}, "rtl8139"},
    {"ne2k_isa", {}, "rtl8139"},
    {"pcnet", {}, "rtl8139"},
    {"i82550", {}, "e1000"},
    {"i82551", {}, "e1000"},
    {"i82557a", {}, "e1000"},
    {"i82557b", {}, "e1000"},
    {"i82557c", {}, "e1000"},
    {"i82558b", {}, "e1000"},
    {"i82559a", {}, "e1000"},
    {"i82559b", {}, "e1000"},
    {"i82559c", {}, "e1000"},
    {"i82559er", {}, "e1000"},
    {"i82562", {}, "e1000"},
    {"i82801", {}, "e1000"},
    {"tulip", {}, "rtl8139"},
    {"vmxnet3", {}, "e1000"},
};

const Model* find_model(std::string_view name) {
    const auto* const found = std::find_if(std::begin(models), std::end(models),
                                           [&](const Model& model) { return model.name == name; });
    return found == std::end(models) ? nullptr : found;
}

}  // namespace

NetModelChoice net_model(std::string_view name) {
    const Model* const model = find_model(name);
    if (model != nullptr && !model->model.empty())
        return {std::string(model->model), {}};
    std::string instead(model == nullptr ? "e1000" : model->instead);
    return {instead, "the adapter's model was " + std::string(name) + " and is now " + instead +
                         ", for which the guest needs a driver"};
}

}  // namespace tapgate
