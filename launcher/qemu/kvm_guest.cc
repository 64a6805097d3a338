// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/qemu/kvm_guest.h"

#ifdef __x86_64__

// The CPU starts 16 bytes below 4 GiB in real mode. Its code segment's base is 0xffff0000, which is
// where the image is (Intel SDM volume 3, 10.1.4). Memory: page tables from 0x1000, the interrupt
// table at 0x8000, the stack below 0x10000, data at 0x20000.
asm(R"(
    .pushsection .rodata
kvm_guest_start:
    .code16
    cli
    lgdtl %cs:(kvm_guest_gdt_pointer - kvm_guest_start)
    movl $0x11, %eax                    # CR0: PE, ET
    movl %eax, %cr0
    ljmpl $8, $(0xffff0000 + kvm_guest_32 - kvm_guest_start)

    .code32
kvm_guest_32:
    movw $16, %ax
    movw %ax, %ds
    movw %ax, %es
    movw %ax, %ss
    cld
    xorl %eax, %eax
    movl $0x1000, %edi
    movl $0x800, %ecx
    rep stosl
    movl $0x2003, 0x1000                # one entry: present, writable
    movl $0x3003, %eax
    movl $0x2000, %edi
    movl $4, %ecx
1:  movl %eax, (%edi)
    addl $0x1000, %eax
    addl $8, %edi
    loop 1b
    movl $0x83, %eax                    # 4 GiB in pages of 2 MiB, as they are
    movl $2048, %ecx
    movl $0x3000, %edi
2:  movl %eax, (%edi)
    movl $0, 4(%edi)
    addl $0x200000, %eax
    addl $8, %edi
    loop 2b
    movl $0x1000, %eax
    movl %eax, %cr3
    movl $0x620, %eax                   # CR4: PAE, OSFXSR, OSXMMEXCPT
    movl %eax, %cr4
    movl $0xc0000080, %ecx              # EFER
    rdmsr
    orl $0x100, %eax                    # LME
    wrmsr
    movl $0x80000013, %eax              # CR0: PG, ET, MP, PE
    movl %eax, %cr0
    ljmp $24, $(0xffff0000 + kvm_guest_64 - kvm_guest_start)

    .code64
kvm_guest_64:
    movl $0x10000, %esp
    movl $0x8000, %edi                  # the gate of vector 0x40
    leaq kvm_guest_woken(%rip), %rax
    movw %ax, 0x400(%rdi)
    movl $0x8e000018, 0x402(%rdi)
    shrq $16, %rax
    movw %ax, 0x406(%rdi)
    shrq $16, %rax
    movq %rax, 0x408(%rdi)
    lidt kvm_guest_idt_pointer(%rip)

    movl $20000000, %ecx
    movl $0x20000, %edi
    movq %rcx, %xmm0
3:  imulq $1103515245, %rax, %rax
    addq $12345, %rax
    movq %rax, (%rdi)
    addq (%rdi), %rbx
    pxor %xmm0, %xmm0
    decl %ecx
    jnz 3b

    movl $0xfee00000, %edi              # the local APIC: on, a one-shot timer with vector 0x40
    movl $0x1ff, 0xf0(%rdi)
    movl $0xb, 0x3e0(%rdi)
    movl $0x40, 0x320(%rdi)
    movl $100000, 0x380(%rdi)
    sti
4:  hlt
    jmp 4b
kvm_guest_woken:
    movb $0x2a, %al
    outb %al, $0xf4
5:  hlt
    jmp 5b

    .balign 8
kvm_guest_gdt:
    .quad 0
    .quad 0x00cf9b000000ffff            # 8: 32-bit code
    .quad 0x00cf93000000ffff            # 16: data
    .quad 0x00af9b000000ffff            # 24: 64-bit code
kvm_guest_gdt_pointer:
    .word 31
    .long 0xffff0000 + kvm_guest_gdt - kvm_guest_start
kvm_guest_idt_pointer:
    .word 0xfff
    .quad 0x8000
kvm_guest_end:
    .popsection
)");

extern "C" const char kvm_guest_start[];
extern "C" const char kvm_guest_end[];

namespace tapgate {

std::string kvm_guest_rom() {
    constexpr size_t size = 0x10000;
    std::string rom(kvm_guest_start, kvm_guest_end);
    rom.resize(size, '\0');
    // A 16-bit jump from 0xfff0, where the CPU starts, to the code at 0.
    rom.replace(0xfff0, 3, "\xe9\x0d\x00", 3);
    return rom;
}

}  // namespace tapgate

#else

namespace tapgate {

std::string kvm_guest_rom() {
    return {};
}

}  // namespace tapgate

#endif
