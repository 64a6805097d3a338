// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/foreign/domain/network_disk.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <string_view>

#include "launcher/base/text.h"
#include "launcher/foreign/translation/words.h"
#include "launcher/foreign/translation/xml_document.h"

namespace tapgate {

namespace {

using Json = nlohmann::ordered_json;

// "json:" with a node of `format` on `file`. Invalid UTF-8 is replaced.
std::string json_file(const std::string& format, const Json& file) {
    const Json node = {{"driver", format}, {"file", file}};
    return "json:" + node.dump(-1, ' ', false, Json::error_handler_t::replace);
}

// <host> as QEMU's SocketAddress, or if `plain` as its InetSocketAddressBase, which has no type.
Json address_of(XmlLeft& xml, const pugi::xml_node& host, const std::string& port_of_protocol,
                bool plain = false) {
    if (const std::string socket = xml.attribute(host, "socket"); !socket.empty()) {
        xml.attribute(host, "transport");
        return {{"type", "unix"}, {"path", socket}};
    }
    const std::string transport = xml.attribute(host, "transport");
    const std::string port = xml.attribute(host, "port");
    Json result = plain ? Json::object() : Json{{"type", "inet"}};
    result["host"] = xml.attribute(host, "name");
    result["port"] = port.empty() ? port_of_protocol : port;
    return result;
}

std::string authority_of(XmlLeft& xml, const pugi::xml_node& host) {
    const std::string address = xml.attribute(host, "name");
    const std::string port = xml.attribute(host, "port");
    xml.attribute(host, "transport");
    if (address.empty())
        return {};
    return (address.find(':') == std::string::npos ? address : "[" + address + "]") +
           (port.empty() ? "" : ":" + port);
}

std::string without_slash(const std::string& name) {
    return name.starts_with('/') ? name.substr(1) : name;
}

void set_number(XmlLeft& xml, const pugi::xml_node& node, const char* attribute, const char* key,
                Json& json) {
    if (const auto number = parse_whole<std::uint64_t>(xml.attribute(node, attribute)))
        json[key] = *number;
}

// For http, https, ftp and ftps: QEMU's curl driver.
std::string web_file(XmlLeft& xml, const pugi::xml_node& source, const std::string& protocol,
                     const std::string& url, const std::string& format) {
    Json file = {{"driver", protocol}, {"url", url}};
    set_number(xml, source.child("timeout"), "seconds", "timeout", file);
    set_number(xml, source.child("readahead"), "size", "readahead", file);
    if (xml.attribute(source.child("ssl"), "verify") == "no")
        file["sslverify"] = false;
    return file.size() == 2 ? url : json_file(format, file);
}

std::string nbd_file(XmlLeft& xml, const pugi::xml_node& source, const std::string& name,
                     const std::string& format) {
    const pugi::xml_node host = source.child("host");
    Json file = {{"driver", "nbd"}, {"server", address_of(xml, host, "10809")}};
    if (!name.empty())
        file["export"] = name;
    set_number(xml, source.child("reconnect"), "delay", "reconnect-delay", file);
    if (file.contains("reconnect-delay"))
        return json_file(format, file);
    if (const std::string socket = xml.attribute(host, "socket"); !socket.empty())
        return "nbd+unix:///" + name + "?socket=" + socket;
    return "nbd://" + authority_of(xml, host) + "/" + name;
}

std::string iscsi_file(XmlLeft& xml, const pugi::xml_node& source, const std::string& name,
                       const std::string& format) {
    const std::string portal = authority_of(xml, source.child("host"));
    const std::string initiator = xml.attribute(source.child("initiator").child("iqn"), "name");
    xml.attribute(source.child("initiator"), "");
    if (initiator.empty())
        return "iscsi://" + portal + "/" + name;
    const size_t slash = std::min(name.rfind('/'), name.size());
    const auto lun = parse_whole<std::uint64_t>(name.substr(std::min(slash + 1, name.size())));
    return json_file(format, {{"driver", "iscsi"},
                              {"transport", "tcp"},
                              {"portal", portal},
                              {"target", name.substr(0, slash)},
                              {"lun", lun.value_or(0)},
                              {"initiator-name", initiator}});
}

std::string rbd_file(XmlLeft& xml, const pugi::xml_node& source, const std::string& name,
                     const std::string& format) {
    const size_t slash = name.find('/');
    if (slash == std::string::npos)
        return {};
    Json file = {{"driver", "rbd"}, {"pool", name.substr(0, slash)}};
    file["image"] = name.substr(slash + 1);
    if (const std::string snapshot = xml.attribute(source.child("snapshot"), "name");
        !snapshot.empty())
        file["snapshot"] = snapshot;
    if (const std::string config = xml.attribute(source.child("config"), "file"); !config.empty())
        file["conf"] = config;
    for (const pugi::xml_node& host : source.children("host"))
        file["server"].push_back(address_of(xml, host, "6789", true));
    return json_file(format, file);
}

std::string gluster_file(XmlLeft& xml, const pugi::xml_node& source, const std::string& name,
                         const std::string& format) {
    const pugi::xml_node first = source.child("host");
    const std::string path = without_slash(name);
    if (!first.next_sibling("host") && std::string_view(first.attribute("socket").value()).empty())
        return "gluster://" + authority_of(xml, first) + "/" + path;
    const size_t slash = std::min(path.find('/'), path.size());
    Json file = {{"driver", "gluster"}, {"volume", path.substr(0, slash)}};
    file["path"] = path.substr(std::min(slash + 1, path.size()));
    for (const pugi::xml_node& host : source.children("host"))
        file["server"].push_back(address_of(xml, host, "24007"));
    return json_file(format, file);
}

std::string ssh_file(XmlLeft& xml, const pugi::xml_node& source, const std::string& name,
                     const std::string& format) {
    Json file = {{"driver", "ssh"}, {"path", name}};
    file["server"] = address_of(xml, source.child("host"), "22", true);
    if (const std::string user = xml.attribute(source.child("identity"), "username"); !user.empty())
        file["user"] = user;
    return json_file(format, file);
}

}  // namespace

NetworkDisk read_network_disk(XmlLeft& xml, const pugi::xml_node& disk, const std::string& format) {
    const pugi::xml_node source = disk.child("source");
    const std::string protocol = xml.attribute(source, "protocol");
    const std::string name = xml.attribute(source, "name");
    const std::string query = xml.attribute(source, "query");
    const pugi::xml_node host = source.child("host");
    const auto no_way = [](const std::string& why) { return NetworkDisk{{}, why}; };
    if (protocol == "sheepdog" || protocol == "vxhs")
        return no_way("it is on " + protocol + ", for which QEMU has no driver any more");
    if (std::string_view(source.attribute("tls").value()) == "yes")
        return no_way(
            "its connection was encrypted with keys that libvirt has: add the disk with "
            "--qemu-arg=-object --qemu-arg=tls-creds-x509,... and a -blockdev");
    if (source.child("auth") || disk.child("auth"))
        return no_way(
            "libvirt keeps its password: get it with virsh secret-get-value, put it into a file, "
            "and add the disk with --qemu-arg=-object --qemu-arg=secret,... and a -blockdev");
    if (source.child("cookies"))
        return no_way(
            "it needs cookies, which everyone could read in the list of processes: put them into a "
            "file, and add the disk with --qemu-arg=-object --qemu-arg=secret,... and "
            "cookie-secret= of a -blockdev");
    const std::string way(host.attribute("transport").value());
    const bool no_address = std::string_view(host.attribute("name").value()).empty() &&
                            std::string_view(host.attribute("socket").value()).empty();
    if ((no_address && protocol != "rbd") || (!way.empty() && way != "tcp" && way != "unix"))
        return no_way("it has no address, or one that QEMU cannot connect to");
    NetworkDisk result;
    constexpr std::array<std::string_view, 4> web = {"http", "https", "ftp", "ftps"};
    if (is_one_of(protocol, web))
        result.file = web_file(xml, source, protocol,
                               protocol + "://" + authority_of(xml, host) + "/" +
                                   without_slash(name) + (query.empty() ? "" : "?" + query),
                               format);
    else if (protocol == "nfs")
        result.file = "nfs://" + authority_of(xml, host) + "/" + without_slash(name);
    else if (protocol == "nbd")
        result.file = nbd_file(xml, source, name, format);
    else if (protocol == "iscsi")
        result.file = iscsi_file(xml, source, name, format);
    else if (protocol == "rbd")
        result.file = rbd_file(xml, source, name, format);
    else if (protocol == "gluster")
        result.file = gluster_file(xml, source, name, format);
    else if (protocol == "ssh")
        result.file = ssh_file(xml, source, name, format);
    if (result.file.empty())
        result.why_not = "it is on the network, and QEMU has no driver for the way to it";
    return result;
}

std::string read_slice(XmlLeft& xml, const pugi::xml_node& source, const std::string& path,
                       const std::string& format) {
    const pugi::xml_node slice = source.child("slices").child("slice");
    const auto offset = parse_whole<std::uint64_t>(slice.attribute("offset").value());
    const auto size = parse_whole<std::uint64_t>(slice.attribute("size").value());
    if (!offset || !size || std::string_view(slice.attribute("type").value()) != "storage")
        return {};
    xml.take(source.child("slices"));
    return json_file(
        format,
        {{"driver", "raw"},
         {"offset", *offset},
         {"size", *size},
         {"file",
          {{"driver", path.starts_with("/dev/") ? "host_device" : "file"}, {"filename", path}}}});
}

}  // namespace tapgate
