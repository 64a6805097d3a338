// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/foreign/legacy/nodes.h"

#include <algorithm>
#include <array>

#include "launcher/foreign/translation/translation.h"
#include "launcher/foreign/translation/words.h"

namespace tapgate {

namespace {

// How deep nodes may be nested.
constexpr unsigned deepest_node = 64;

bool is_file_driver(const std::string& driver) {
    return driver == "file" || driver == "host_device" || driver == "host_cdrom";
}

// Nodes that do not change what the guest reads.
bool is_filter(const std::string& driver) {
    constexpr std::array<std::string_view, 5> filters = {"throttle", "copy-on-read", "blklogwrites",
                                                         "preallocate", "copy-before-write"};
    return is_one_of(driver, filters);
}

LegacyDrive* find_node(std::vector<LegacyDrive>& nodes, const std::string& name) {
    const auto found = std::find_if(nodes.begin(), nodes.end(), [&](const LegacyDrive& node) {
        return !name.empty() && node.properties.get("node-name") == name;
    });
    return found == nodes.end() ? nullptr : &*found;
}

// The properties of a node inside this one's JSON: "file.driver" is its driver.
Properties below_in(const Properties& properties, std::string_view prefix = "file.") {
    Properties below;
    for (const auto& [key, value] : properties.all()) {
        if (key.starts_with(prefix))
            below.set(key.substr(prefix.size()), value);
    }
    return below;
}

// A part of a file, or in the form of another disk.
bool is_part(const Properties& properties) {
    return properties.get("driver") == "raw" &&
           (properties.has("offset") || properties.has("size"));
}

bool is_encrypted(const Properties& properties) {
    return std::any_of(properties.all().begin(), properties.all().end(), [](const auto& one) {
        return one.first == "key-secret" || one.first.starts_with("encrypt.");
    });
}

// The files of the images below this one that its own JSON describes, the nearest first: all of
// them, or none where one is more than a file.
std::vector<std::string> backing_in(const Properties& properties) {
    std::vector<std::string> paths;
    for (Properties below = below_in(properties, "backing."); !below.all().empty();
         below = below_in(below, "backing.")) {
        for (unsigned inner = 0; inner < deepest_node && is_filter(below.get("driver")); inner++)
            below = below_in(below);
        const bool whole = is_file_driver(below.get("driver"));
        const std::string path = below.get(whole ? "filename" : "file.filename");
        const std::string storage = below.get(whole ? "driver" : "file.driver");
        if (!path.starts_with('/') || !is_file_driver(storage) || is_part(below) ||
            is_encrypted(below) || below.has("data-file") || below.has("data-file.driver") ||
            paths.size() == deepest_node)
            return {};
        paths.push_back(path);
    }
    return paths;
}

class NodeReader {
  public:
    NodeReader(std::vector<LegacyDrive>& nodes, const HasLimits& has_limits)
        : nodes_(nodes), has_limits_(has_limits) {}

    NodeImage read(const std::string& name) {
        visit(name, true, 0);
        std::reverse(image_.nodes.begin(), image_.nodes.end());
        return std::move(image_);
    }

  private:
    // Goes down to the file. What a backing file consists of counts as the image's, too.
    std::string visit(const std::string& name, bool top, unsigned depth) {
        LegacyDrive* const node = find_node(nodes_, name);
        if (node == nullptr || depth > deepest_node || node->used) {
            if (top)
                image_.not_file = "there is no -blockdev called " + name;
            return {};
        }
        node->used = true;
        image_.was.insert(0, node->was + (image_.was.empty() ? "" : " "));
        image_.nodes.push_back(node->properties.str());
        keep_others(*node, depth);
        Properties properties = node->properties;
        for (unsigned inner = 0; inner < deepest_node && properties.has("file.driver") &&
                                 is_filter(properties.get("driver"));
             inner++) {
            say_without(properties);
            properties = below_in(properties);
        }
        const bool part = is_part(properties);
        if (top)
            take_backing(properties);
        const std::string driver = properties.take("driver").value_or("");
        properties.take("node-name");
        const std::string below = properties.take("file").value_or("");
        const std::string backing = properties.take("backing").value_or("");
        std::string path;
        if (is_file_driver(driver)) {
            path = properties.take("filename").value_or("");
            if (image_.format.empty() && top)
                image_.format = "raw";
        } else if (const auto inner = properties.take("file.filename")) {
            const std::string inner_driver = properties.take("file.driver").value_or("file");
            path = *inner;
            if (!is_file_driver(inner_driver))
                say_no_file("on " + inner_driver, top);
            else
                lift_storage(properties);
        } else if (below.empty()) {
            const std::string protocol = properties.get("file.driver");
            say_no_file("on " + (protocol.empty() ? driver : protocol), top);
        } else if (is_filter(driver)) {
            say_without(node->properties);
            return visit(below, top, depth + 1);
        }
        if (top && image_.format.empty())
            image_.format = driver;
        if (part)
            say_no_file("a part of a file", top);
        if (is_encrypted(properties))
            say_no_file("encrypted", top);
        if (top)
            add(properties);
        if (path.empty() && !below.empty())
            path = visit_storage(below, top, depth + 1);
        if (top)
            image_.path = path;
        if (!backing.empty() && backing != "null" && find_node(nodes_, backing) != nullptr) {
            const std::string under = visit(backing, false, depth + 1);
            if (under.starts_with('/'))
                image_.backing.insert(image_.backing.begin(), under);
        }
        return path;
    }

    // Notes why the guest's image, or one below it, is no file: only its nodes have it then.
    void say_no_file(const std::string& what, bool top) {
        if (image_.not_file.empty())
            image_.not_file = (top ? "it is " : "an image below it is ") + what;
    }

    void take_backing(Properties& properties) {
        image_.backing = backing_in(properties);
        if (!image_.backing.empty())
            std::erase_if(properties.all(),
                          [](const auto& one) { return one.first.starts_with("backing."); });
    }

    // Notes that the image has no such filter here. A throttle without limits does nothing.
    void say_without(const Properties& filter) {
        const std::string driver = filter.get("driver");
        if (driver != "throttle" || has_limits_(filter.get("throttle-group")))
            add_reason(image_.why, "without " + driver);
    }

    // Keeps nodes referred to by other names than `file' and `backing': a qcow2's data may be in
    // another file.
    void keep_others(const LegacyDrive& node, unsigned depth) {
        for (const auto& [key, value] : node.properties.all()) {
            constexpr std::array<std::string_view, 4> no_others = {"driver", "node-name", "file",
                                                                   "backing"};
            if (is_one_of(key, no_others) || find_node(nodes_, value) == nullptr)
                continue;
            say_no_file("partly in another file (" + key + "=)", true);
            visit(value, false, depth + 1);
        }
    }

    // Moves how the file is opened to the image's own properties.
    static void lift_storage(Properties& properties) {
        const Properties storage = below_in(properties);
        for (const auto& [key, value] : storage.all()) {
            properties.take("file." + key);
            if (key != "node-name" && !properties.has(key))
                properties.set(key, value);
        }
    }

    // Below the format there is a file, or more filters.
    std::string visit_storage(const std::string& name, bool top, unsigned depth) {
        LegacyDrive* const node = find_node(nodes_, name);
        if (node == nullptr || node->used || depth > deepest_node) {
            if (top)
                image_.not_file = "there is no -blockdev called " + name;
            return {};
        }
        const std::string driver = node->properties.get("driver");
        if (is_filter(driver)) {
            node->used = true;
            image_.was.insert(0, node->was + " ");
            image_.nodes.push_back(node->properties.str());
            say_without(node->properties);
            return visit_storage(node->properties.get("file"), top, depth + 1);
        }
        node->used = true;
        image_.was.insert(0, node->was + " ");
        image_.nodes.push_back(node->properties.str());
        keep_others(*node, depth);
        Properties properties = node->properties;
        const std::string path = properties.take("filename").value_or("");
        if (is_part(node->properties))
            say_no_file("a part of a file", top);
        else if (!is_file_driver(driver))
            say_no_file("on " + driver, top);
        for (const char* const known : {"driver", "node-name"})
            properties.take(known);
        // It may be part of a file, for instance; all nodes are kept then.
        if (const auto below = properties.take("file"); below && !is_file_driver(driver))
            visit_storage(*below, false, depth + 1);
        if (top)
            add(properties);
        return is_file_driver(driver) ? path : std::string();
    }

    void add(const Properties& properties) {
        for (const auto& [key, value] : properties.all()) {
            if (!image_.properties.has(key))
                image_.properties.set(key, value);
        }
    }

    std::vector<LegacyDrive>& nodes_;
    const HasLimits& has_limits_;
    NodeImage image_;
};

}  // namespace

NodeImage image_of_node(std::vector<LegacyDrive>& nodes, const std::string& name,
                        const HasLimits& has_limits) {
    return NodeReader(nodes, has_limits).read(name);
}

}  // namespace tapgate
