# SPDX-License-Identifier: GPL-2.0-or-later
#
# A guest that boots at once even where an emulator runs in an emulator: a boot sector that knows the power
# button, and no more. On its console: "PASS" when it runs, "POWER BUTTON" when that was pressed; then it
# powers off, as ACPI says (with the symbol `deaf' it does not). The ports are those of QEMU's q35, as its firmware sets them up.
        .code16
        .set console, 0x3f8
        .set pm1_status, 0x600
        .set pm1_enable, 0x602
        .set pm1_control, 0x604
        .set power_button, 0x100
        .set sleep_enable_s5, 0x2000

        .globl  _start
_start:
        xorw    %ax, %ax
        movw    %ax, %ds
        # The timer's interrupts only: what the button raises has no handler here.
        movb    $0xfe, %al
        outb    %al, $0x21
        movb    $0xff, %al
        outb    %al, $0xa1
        movw    $pm1_enable, %dx
        movw    $power_button, %ax
        outw    %ax, %dx
        movw    $pass, %si
        call    say
wait:
        sti
        hlt
        movw    $pm1_status, %dx
        inw     %dx, %ax
        testw   $power_button, %ax
        jz      wait
        movw    $pressed, %si
        call    say
        .ifdef  deaf
asleep: hlt
        jmp     asleep
        .endif
        movw    $pm1_control, %dx
        movw    $sleep_enable_s5, %ax
        outw    %ax, %dx
        hlt

# What %si points to, up to its NUL.
say:
        movw    $console, %dx
1:      lodsb
        testb   %al, %al
        jz      2f
        outb    %al, %dx
        jmp     1b
2:      ret

pass:   .asciz  "PASS\r\n"
pressed:
        .asciz  "POWER BUTTON\r\n"

        .org    510
        .word   0xaa55
