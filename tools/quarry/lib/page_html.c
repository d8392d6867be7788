// SPDX-License-Identifier: GPL-2.0
/* The page that page/build made, as it is.  It is empty if the program was built without it. */
#include "lib/page.h"

__asm__(".section .rodata\n"
	".global q_page_html\n"
	".global q_page_html_end\n"
	"q_page_html:\n"
	".incbin \"" QUARRY_PAGE "\"\n"
	"q_page_html_end:\n"
	".byte 0\n"
	".previous\n");
