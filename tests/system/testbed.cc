// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/system/testbed.h"

#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <gnu/libc-version.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <linux/capability.h>
#include <linux/if_tun.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <thread>

#include "tests/system/netlink.h"

namespace tapgate {
namespace {

constexpr const char* stock_helper = "/usr/lib/qemu/qemu-bridge-helper";
constexpr const char* stock_helper_fedora = "/usr/libexec/qemu-bridge-helper";

UniqueFd open_or_throw(const std::string& path, int flags) {
    UniqueFd fd(open(path.c_str(), flags | O_CLOEXEC));
    check_call(static_cast<bool>(fd), path);
    return fd;
}

void write_all(int fd, std::string_view text, const std::string& what) {
    while (!text.empty()) {
        const ssize_t n = write(fd, text.data(), text.size());
        check_call(n > 0, "write " + what);
        text.remove_prefix(static_cast<std::size_t>(n));
    }
}

void install_program(const std::string& source, const std::string& target, mode_t mode) {
    Testbed::write_file(target, read_text(source), mode);
}

// The xattr as setcap writes it for cap_net_admin=ep; it saves the tests a dependency on setcap.
void give_net_admin(const std::string& path) {
    vfs_cap_data data{};
    data.magic_etc = VFS_CAP_REVISION_2 | VFS_CAP_FLAGS_EFFECTIVE;
    data.data[0].permitted = 1U << CAP_NET_ADMIN;
    check_call(setxattr(path.c_str(), "security.capability", &data, sizeof data, 0) == 0,
               "security.capability on " + path);
}

void make_device(const std::string& path, mode_t mode, unsigned major, unsigned minor) {
    check_call(mknod(path.c_str(), S_IFCHR | mode, makedev(major, minor)) == 0, path);
    check_call(chmod(path.c_str(), mode) == 0, path);
}

void mount_tmpfs(const char* where) {
    check_call(mount("tmpfs", where, "tmpfs", 0, "mode=0755") == 0,
               std::string("mount tmpfs on ") + where);
}

std::string stock_source() {
    for (const char* path : {stock_helper, stock_helper_fedora}) {
        if (access(path, R_OK) == 0)
            return path;
    }
    return {};
}

std::string environment(const char* name) {
    const char* value = std::getenv(name);
    return value == nullptr ? std::string() : std::string(value);
}

std::string under_test_source() {
    return environment("TAPGATE_HELPER");
}

// What was built in the same place as the helper under test.
std::string beside_helper(const std::string& name) {
    return std::filesystem::path(under_test_source()).replace_filename(name);
}

// Something to put files into that are to be at `path`: hides what the host has there, in this
// mount namespace.
void cover(const std::filesystem::path& directory) {
    std::filesystem::path mount_point = directory;
    while (!std::filesystem::exists(mount_point))
        mount_point = mount_point.parent_path();
    mount_tmpfs(mount_point.c_str());
    std::filesystem::create_directories(directory);
}

ifreq interface_of(int fd) {
    ifreq request{};
    check_call(ioctl(fd, TUNGETIFF, &request) == 0, "TUNGETIFF");
    return request;
}

}  // namespace

void check_call(bool ok, const std::string& what) {
    if (!ok)
        throw std::runtime_error(what + ": " + std::strerror(errno));
}

const char* to_string(Install install) {
    switch (install) {
        case Install::setuid:
            return "setuid";
        case Install::filecaps:
            return "filecaps";
        case Install::plain:
            return "plain";
    }
    return "?";
}

void PrintTo(Install install, std::ostream* out) {
    *out << to_string(install);
}

// --- The bed

Testbed::Testbed() = default;

Testbed::~Testbed() {
    leave_namespaces();
}

void Testbed::SetUp() {
    TAPGATE_REQUIRE(geteuid() == 0, "root");
    TAPGATE_REQUIRE(!under_test_source().empty(), "TAPGATE_HELPER names the helper under test");
    TAPGATE_REQUIRE(access(under_test_source().c_str(), R_OK) == 0,
                    "the helper under test, " + under_test_source());
    TAPGATE_REQUIRE(access("/dev/net/tun", F_OK) == 0, "/dev/net/tun");
    try {
        enter_namespaces();
        install(way_to_install());
        is_set_up_ = true;
    } catch (const std::exception& e) {
        TAPGATE_REQUIRE(false, e.what());
    }
    prepare();
}

void Testbed::enter_namespaces() {
    host_net_ = open_or_throw("/proc/self/ns/net", O_RDONLY);
    host_mnt_ = open_or_throw("/proc/self/ns/mnt", O_RDONLY);
    host_cwd_ = open_or_throw(".", O_PATH | O_DIRECTORY);

    // Read before the mounts below can hide them.
    const std::string helper = read_text(under_test_source());
    const std::string stock = stock_source().empty() ? std::string() : read_text(stock_source());
    const std::string lookup = read_text(beside_helper("tapgate-lookup"));
    const std::string policy_tool = read_text(beside_helper("tapgate-policy"));
    const std::string module = read_text(environment("TAPGATE_NSS_MODULE"));
    const std::string loader_cache = read_text("/etc/ld.so.cache");

    check_call(unshare(CLONE_NEWNET | CLONE_NEWNS) == 0, "unshare");
    check_call(mount("", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0, "make mounts private");
    // /sys/class/net shows the network namespace of whoever mounted it.
    check_call(mount("sysfs", "/sys", "sysfs", 0, nullptr) == 0, "mount sysfs");

    mount_tmpfs(testbed_root);
    write_file(path("source"), helper, 0644);
    if (!stock.empty())
        write_file(path("stock-source"), stock, 0644);

    write_file(path("lookup-source"), lookup, 0644);
    write_file(path("tapgate-policy"), policy_tool, 0755);
    write_file(path("nss-source"), module, 0644);

    // Files only, no LDAP: user and group names must be those of the test.
    mount_tmpfs("/etc");
    write_file("/etc/ld.so.cache", loader_cache);
    write_file("/etc/nsswitch.conf", "passwd: files\ngroup: files\n");
    write_file("/etc/passwd",
               "root:x:0:0:root:/root:/bin/sh\n"
               "alice:x:2001:2001::/nonexistent:/bin/sh\n"
               "bob:x:2002:2002::/nonexistent:/bin/sh\n");
    write_file("/etc/group", "root:x:0:\nalice:x:2001:\nbob:x:2002:\nstudents:x:3001:alice\n");

    mount_tmpfs("/dev");
    make_device("/dev/null", 0666, 1, 3);
    make_device("/dev/zero", 0666, 1, 5);
    // libc opens it where a setuid program's stdin is closed, and aborts when it cannot.
    make_device("/dev/full", 0666, 1, 7);
    make_device("/dev/urandom", 0666, 1, 9);
    make_directory("/dev/net");
    make_device("/dev/net/tun", 0666, 10, 200);

    // Otherwise router solicitations and the like turn up among the frames of the tests.
    write_file("/proc/sys/net/ipv6/conf/default/disable_ipv6", "1");
    set_link_up("lo");
}

void Testbed::leave_namespaces() {
    if (!host_net_ || !host_mnt_)
        return;
    // Going on in the wrong namespace would be worse than to stop.
    if (setns(host_net_.get(), CLONE_NEWNET) != 0 || setns(host_mnt_.get(), CLONE_NEWNS) != 0 ||
        fchdir(host_cwd_.get()) != 0) {
        std::perror("cannot go back to the host's namespaces");
        std::abort();
    }
}

void Testbed::install(Install install) {
    unlink(helper_path().c_str());
    install_program(path("source"), helper_path(), install == Install::setuid ? 04755 : 0755);
    if (install == Install::filecaps)
        give_net_admin(helper_path());
}

std::string Testbed::helper_path() {
    return path("tapgate-helper");
}

std::string Testbed::stock_path() {
    return path("qemu-bridge-helper");
}

std::string Testbed::lookup_path() {
    return TAPGATE_LOOKUP;
}

bool Testbed::install_lookup(mode_t mode) {
    if (read_text(path("lookup-source")).empty())
        return false;
    if (access(lookup_path().c_str(), F_OK) != 0)
        cover(std::filesystem::path(lookup_path()).parent_path());
    unlink(lookup_path().c_str());
    install_program(path("lookup-source"), lookup_path(), mode);
    return true;
}

bool Testbed::install_nss_module() {
    if (read_text(path("nss-source")).empty())
        return false;
    // Where libc looks without being told to: the directory that it is in itself, which one of its
    // functions tells that no sanitizer has another one of.
    Dl_info libc{};
    if (dladdr(reinterpret_cast<const void*>(&gnu_get_libc_version), &libc) == 0)
        return false;
    const std::string libraries = std::filesystem::canonical(libc.dli_fname).parent_path().string();
    make_directory(path("libraries"));
    make_directory(path("libraries-work"));
    const std::string options = "lowerdir=" + libraries + ",upperdir=" + path("libraries") +
                                ",workdir=" + path("libraries-work");
    check_call(mount("overlay", libraries.c_str(), "overlay", 0, options.c_str()) == 0, "overlay");
    for (const char* const service : {"tapgatetest", "tapgateother"})
        install_program(path("nss-source"), libraries + "/libnss_" + service + ".so.2", 0755);
    return true;
}

bool Testbed::install_stock() {
    if (access(path("stock-source").c_str(), R_OK) != 0)
        return false;
    install_program(path("stock-source"), stock_path(), 04755);
    return true;
}

HelperResult Testbed::run_helper(const std::vector<std::string>& args,
                                 const HelperOptions& options) {
    HelperProcess process(args, options);
    return process.finish();
}

HelperResult Testbed::ask_policy(const std::vector<std::string>& args, HelperOptions options) {
    options.program = path("tapgate-policy");
    return run_helper(args, options);
}

std::string install_name(const testing::TestParamInfo<Install>& info) {
    return to_string(info.param);
}

// --- Files

std::string Testbed::path(std::string_view name) {
    return std::string(testbed_root) + "/" + std::string(name);
}

void Testbed::write_file(const std::string& path, std::string_view text, mode_t mode, uid_t uid,
                         gid_t gid) {
    const UniqueFd fd(open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
    check_call(static_cast<bool>(fd), path);
    write_all(fd.get(), text, path);
    struct stat status {};
    check_call(fstat(fd.get(), &status) == 0, path);
    // /proc files can be written, but have no owner to change.
    if (status.st_uid != uid || status.st_gid != gid)
        check_call(fchown(fd.get(), uid, gid) == 0, "chown " + path);
    if ((status.st_mode & 07777) != mode && !path.starts_with("/proc/"))
        check_call(fchmod(fd.get(), mode) == 0, "chmod " + path);
}

void Testbed::write_policy(std::string_view text, mode_t mode) {
    if (access("/etc/qemu", F_OK) != 0)
        make_directory("/etc/qemu");
    unlink(policy_file);
    write_file(policy_file, text, mode);
}

void Testbed::make_directory(const std::string& path, mode_t mode, uid_t uid, gid_t gid) {
    check_call(mkdir(path.c_str(), 0700) == 0 && chown(path.c_str(), uid, gid) == 0 &&
                   chmod(path.c_str(), mode) == 0,
               "mkdir " + path);
}

sockaddr_un log_address() {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    constexpr std::string_view path = "/dev/log";
    std::copy(path.begin(), path.end(), static_cast<char*>(address.sun_path));
    return address;
}

UniqueFd Testbed::open_log() {
    UniqueFd fd(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    const sockaddr_un address = log_address();
    check_call(bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 &&
                   chmod("/dev/log", 0666) == 0,
               "/dev/log");
    return fd;
}

std::string read_text(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
}

// --- Links

void Testbed::add_bridge(const std::string& name, unsigned mtu) {
    Rtnl rtnl;
    rtnl.add_link("bridge", name);
    rtnl.set_mtu(name, mtu);
    rtnl.set_up(name);
}

void Testbed::allow_br0() {
    add_bridge("br0");
    write_policy("allow br0\n");
}

void Testbed::remove_link(const std::string& name) {
    Rtnl().remove(name);
}

void Testbed::add_veth(const std::string& name, const std::string& peer) {
    Rtnl rtnl;
    rtnl.add_veth(name, peer);
    // The kernel's are random, and one in 64 begins with fe as a tap's own address does; a bridge
    // that takes its address from such a port is another bridge then.
    static std::atomic<unsigned> last{0};
    for (const std::string& end : {name, peer}) {
        std::array<char, sizeof "02:54:47:00:00:00"> mac{};
        const unsigned number = ++last & 0xffffU;
        std::snprintf(mac.data(), mac.size(), "02:54:47:00:%02x:%02x", number >> 8U,
                      number & 0xffU);
        rtnl.set_address(end, mac.data());
    }
}

void Testbed::set_link_up(const std::string& name) {
    Rtnl().set_up(name);
}

bool Testbed::link_exists(const std::string& name) {
    return if_nametoindex(name.c_str()) != 0;
}

std::string Testbed::link_attribute(const std::string& name, const std::string& attribute) {
    std::string text = read_text("/sys/class/net/" + name + "/" + attribute);
    if (!text.empty() && text.back() == '\n')
        text.pop_back();
    return text;
}

unsigned Testbed::link_flags(const std::string& name) {
    const std::string text = link_attribute(name, "flags");
    return text.empty() ? 0U : static_cast<unsigned>(std::stoul(text, nullptr, 16));
}

namespace {
std::vector<std::string> entries(const std::string& directory) {
    std::vector<std::string> names;
    DIR* dir = opendir(directory.c_str());
    if (dir == nullptr)
        return names;
    while (const dirent* entry = readdir(dir)) {
        if (entry->d_name[0] != '.')
            names.emplace_back(static_cast<const char*>(entry->d_name));
    }
    closedir(dir);
    std::sort(names.begin(), names.end());
    return names;
}
}  // namespace

std::vector<std::string> Testbed::links() {
    return entries("/sys/class/net");
}

std::vector<std::string> Testbed::taps() {
    std::vector<std::string> found;
    for (const std::string& name : links()) {
        // A contained tap is in a namespace of its own: seen from here it is its port, whose name
        // says whose it is.
        const bool plain = access(("/sys/class/net/" + name + "/tun_flags").c_str(), F_OK) == 0;
        if (plain || (name.starts_with("tap") && name.find_first_of("-_") != std::string::npos))
            found.push_back(name);
    }
    return found;
}

std::string Testbed::the_tap() {
    const std::vector<std::string> all = taps();
    return all.size() == 1 ? all[0] : "(" + std::to_string(all.size()) + " taps)";
}

std::vector<std::string> Testbed::ports(const std::string& bridge) {
    return entries("/sys/class/net/" + bridge + "/brif");
}

bool Testbed::no_taps_left() {
    for (int i = 0; i < 1000; ++i) {
        if (taps().empty())
            return true;
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return false;
}

std::string Testbed::tap_name(int fd) {
    return static_cast<const char*>(interface_of(fd).ifr_name);
}

unsigned Testbed::tap_flags(int fd) {
    return static_cast<std::uint16_t>(interface_of(fd).ifr_flags);
}

bool long_run() {
    const char* value = std::getenv("TAPGATE_LONG");
    return value != nullptr && std::strcmp(value, "1") == 0;
}

}  // namespace tapgate
