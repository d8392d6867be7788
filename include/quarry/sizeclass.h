/* SPDX-License-Identifier: GPL-2.0 */
/* Generated: see "make generate".  Do not edit. */
#ifndef QUARRY_SIZECLASS_H
#define QUARRY_SIZECLASS_H

#define QR_NR_CLASSES		60	/* with class 0, "none" */
#define QUARRY_MAX_SMALL	32768UL	/* bytes; larger requests get whole pages */
#define QR_MAX_TINY		6UL	/* bytes; the largest class below 8 bytes */

/* The class for @size.  It must be constant: then this folds to one number. */
static __always_inline unsigned int qr_class_const(unsigned long size)
{
	if (size <= 4)
		return 1;
	if (size <= 6)
		return 2;
	if (size <= 8)
		return 3;
	if (size <= 16)
		return 4;
	if (size <= 24)
		return 5;
	if (size <= 32)
		return 6;
	if (size <= 40)
		return 7;
	if (size <= 48)
		return 8;
	if (size <= 64)
		return 9;
	if (size <= 80)
		return 10;
	if (size <= 96)
		return 11;
	if (size <= 112)
		return 12;
	if (size <= 128)
		return 13;
	if (size <= 152)
		return 14;
	if (size <= 176)
		return 15;
	if (size <= 208)
		return 16;
	if (size <= 240)
		return 17;
	if (size <= 256)
		return 18;
	if (size <= 288)
		return 19;
	if (size <= 336)
		return 20;
	if (size <= 384)
		return 21;
	if (size <= 448)
		return 22;
	if (size <= 512)
		return 23;
	if (size <= 576)
		return 24;
	if (size <= 640)
		return 25;
	if (size <= 736)
		return 26;
	if (size <= 832)
		return 27;
	if (size <= 960)
		return 28;
	if (size <= 1024)
		return 29;
	if (size <= 1152)
		return 30;
	if (size <= 1280)
		return 31;
	if (size <= 1472)
		return 32;
	if (size <= 1664)
		return 33;
	if (size <= 1856)
		return 34;
	if (size <= 2048)
		return 35;
	if (size <= 2304)
		return 36;
	if (size <= 2560)
		return 37;
	if (size <= 2816)
		return 38;
	if (size <= 3200)
		return 39;
	if (size <= 3584)
		return 40;
	if (size <= 4096)
		return 41;
	if (size <= 4608)
		return 42;
	if (size <= 5120)
		return 43;
	if (size <= 5632)
		return 44;
	if (size <= 6400)
		return 45;
	if (size <= 7168)
		return 46;
	if (size <= 8192)
		return 47;
	if (size <= 9216)
		return 48;
	if (size <= 10240)
		return 49;
	if (size <= 11264)
		return 50;
	if (size <= 12800)
		return 51;
	if (size <= 14336)
		return 52;
	if (size <= 16384)
		return 53;
	if (size <= 18432)
		return 54;
	if (size <= 20480)
		return 55;
	if (size <= 22528)
		return 56;
	if (size <= 25600)
		return 57;
	if (size <= 28672)
		return 58;
	if (size <= 32768)
		return 59;
	return 0;
}

/* Size in bytes of an object of @class, which must be constant. */
static __always_inline unsigned int qr_class_const_size(unsigned int class)
{
	switch (class) {
	case 1:
		return 4;
	case 2:
		return 6;
	case 3:
		return 8;
	case 4:
		return 16;
	case 5:
		return 24;
	case 6:
		return 32;
	case 7:
		return 40;
	case 8:
		return 48;
	case 9:
		return 64;
	case 10:
		return 80;
	case 11:
		return 96;
	case 12:
		return 112;
	case 13:
		return 128;
	case 14:
		return 152;
	case 15:
		return 176;
	case 16:
		return 208;
	case 17:
		return 240;
	case 18:
		return 256;
	case 19:
		return 288;
	case 20:
		return 336;
	case 21:
		return 384;
	case 22:
		return 448;
	case 23:
		return 512;
	case 24:
		return 576;
	case 25:
		return 640;
	case 26:
		return 736;
	case 27:
		return 832;
	case 28:
		return 960;
	case 29:
		return 1024;
	case 30:
		return 1152;
	case 31:
		return 1280;
	case 32:
		return 1472;
	case 33:
		return 1664;
	case 34:
		return 1856;
	case 35:
		return 2048;
	case 36:
		return 2304;
	case 37:
		return 2560;
	case 38:
		return 2816;
	case 39:
		return 3200;
	case 40:
		return 3584;
	case 41:
		return 4096;
	case 42:
		return 4608;
	case 43:
		return 5120;
	case 44:
		return 5632;
	case 45:
		return 6400;
	case 46:
		return 7168;
	case 47:
		return 8192;
	case 48:
		return 9216;
	case 49:
		return 10240;
	case 50:
		return 11264;
	case 51:
		return 12800;
	case 52:
		return 14336;
	case 53:
		return 16384;
	case 54:
		return 18432;
	case 55:
		return 20480;
	case 56:
		return 22528;
	case 57:
		return 25600;
	case 58:
		return 28672;
	case 59:
		return 32768;
	default:
		return 0;
	}
}

#endif /* QUARRY_SIZECLASS_H */
