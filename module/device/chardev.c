// SPDX-License-Identifier: GPL-2.0
/*
 * The device /dev/quarry.  An open file has a session and a ring, each with its own
 * mutex.  This file checks the arguments of system calls and calls the session or the
 * ring.  <uapi/quarry.h> documents the interface.
 */
#include "device/chardev.h"

#include <linux/capability.h>
#include <linux/compat.h>
#include <linux/fs.h>
#include <linux/gfp.h>
#include <linux/log2.h>
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/string.h>
#include <linux/timekeeping.h>
#include <linux/uaccess.h>
#include <quarry/exposure.h>
#include <quarry/profile.h>
#include <quarry/stats.h>
#include <uapi/quarry.h>
#include "core/metadata.h"
#include "device/event_ring.h"
#include "device/reader_session.h"

/**
 * struct dev_file - an open file
 * @session: its profiles
 * @ring: its events
 */
struct dev_file {
	struct qr_session *session;
	struct qr_ring *ring;
};

/* The structure that an ioctl's argument points to.  dev_ioctl() copies it in and out. */
union dev_arg {
	struct quarry_dev_info info;
	struct quarry_dev_rate rate;
	struct quarry_dev_snapshot snapshot;
	struct quarry_dev_action action;
	struct quarry_dev_ring ring;
	struct quarry_dev_domain domain;
	struct quarry_dev_misuse misuse;
};

/*
 * May the caller change what others see?  open() has asked already.  But an open file can be passed
 * on to a process that has no such right, and it may be older than the kernel's lockdown.
 */
static int may_change(void)
{
	return perfmon_capable() ? qr_may_change() : -EPERM;
}

/* Is there such a domain?  With @only_quarry, what is asked for is there for Quarry's heap only. */
static bool is_domain(u32 domain, bool only_quarry)
{
	return domain < QUARRY_DEV_DOMAINS && (domain == QUARRY_DEV_DOMAIN_QUARRY || !only_quarry);
}

/* Sets *@drained to the number of objects that moved. */
static int drain_if(u32 flags, u64 *drained)
{
	int err;

	*drained = 0;
	if (!(flags & QUARRY_DEV_DRAIN))
		return 0;
	err = may_change();
	if (!err)
		*drained = qr_drain_all();
	return err;
}

/* A new result is read from its start. */
static void rewind_file(struct file *file)
{
	WRITE_ONCE(file->f_pos, 0);
}

static int ioc_info(struct file *file, union dev_arg *a)
{
	struct quarry_dev_info *info = &a->info;
	struct quarry_stats st;

	if (info->flags || info->reserved0 || !IS_ZERO(info->reserved))
		return -EINVAL;
	quarry_stats_read(&st);
	*info = (struct quarry_dev_info){
		.version = QUARRY_ABI_VERSION,
		.features = QUARRY_DEV_FEATURE_DELTA | QUARRY_DEV_FEATURE_HEAPDUMP |
			    QUARRY_DEV_FEATURE_RING | QUARRY_DEV_FEATURE_DOMAINS |
			    QUARRY_DEV_FEATURE_MISUSE,
		.page_size = PAGE_SIZE,
		.kinds = QUARRY_DEV_KINDS,
		.formats = QUARRY_DEV_FORMATS,
		.record_size = sizeof(struct quarry_event_record),
		.ring_max = QR_RING_MAX,
		.rate = st.sample_rate_bytes,
		.sites = st.profile_sites,
		.max_sites = st.profile_max_sites,
		.label_sets = st.profile_label_sets,
		.time_ns = ktime_get_real_ns(),
		.samples = st.samples,
		.live_samples = st.live_samples,
		.dropped_samples = st.dropped_samples,
		.dropped_bytes = st.dropped_bytes,
		.other_samples = st.other_samples,
		.live_objects = st.live_objects,
		.live_bytes = st.live_bytes,
		.sampled_live_bytes = st.sampled_live_bytes,
		.sys_bytes = st.sys_bytes,
		.metadata_bytes = st.metadata_bytes,
		.profile_bytes = st.profile_bytes,
		.profile_max_bytes = st.profile_max_bytes,
		.domains = QUARRY_DEV_DOMAINS,
	};
	return 0;
}

static int rate_set(const struct quarry_dev_rate *rate)
{
	bool inherit = rate->flags & QUARRY_DEV_RATE_INHERIT;

	if (rate->domain == QUARRY_DEV_DOMAIN_QUARRY && rate->cache != QUARRY_CACHE_ALL)
		return qr_cache_rate_set(rate->cache, rate->rate, !inherit);
	if (rate->domain == QUARRY_DEV_DOMAIN_QUARRY)
		qr_rate_set(rate->rate);
	else
		qr_domain_rate_set(rate->domain, rate->rate);
	return 0;
}

static int rate_get(struct quarry_dev_rate *rate)
{
	bool own = false;
	int err = 0;

	if (rate->domain != QUARRY_DEV_DOMAIN_QUARRY)
		rate->rate = qr_domain_rate_get(rate->domain);
	else if (rate->cache != QUARRY_CACHE_ALL)
		err = qr_cache_rate_get(rate->cache, &rate->rate, &own);
	else
		rate->rate = qr_rate_get();
	rate->own = own;
	return err;
}

static int ioc_rate(struct file *file, union dev_arg *a)
{
	struct quarry_dev_rate *rate = &a->rate;
	int err;

	if (rate->flags & ~(QUARRY_DEV_RATE_SET | QUARRY_DEV_RATE_INHERIT) ||
	    !IS_ZERO(rate->reserved) || !is_domain(rate->domain, rate->cache != QUARRY_CACHE_ALL))
		return -EINVAL;
	if (rate->flags & QUARRY_DEV_RATE_INHERIT &&
	    (!(rate->flags & QUARRY_DEV_RATE_SET) || rate->rate || rate->cache == QUARRY_CACHE_ALL))
		return -EINVAL;
	if (rate->flags & QUARRY_DEV_RATE_SET) {
		if (!(file->f_mode & FMODE_WRITE))
			return -EBADF;
		err = may_change() ?: rate_set(rate);
		if (err)
			return err;
	}
	return rate_get(rate);
}

static int profile(struct file *file, struct quarry_dev_snapshot *snap, bool delta)
{
	const struct qr_request req = {
		.domain = snap->domain,
		.cache = snap->cache,
		.kind = snap->kind,
		.format = snap->format,
		.delta = delta,
	};
	bool only_quarry = snap->cache != QUARRY_CACHE_ALL || snap->flags ||
			   snap->kind == QUARRY_DEV_KIND_FRAGMENTATION;
	struct dev_file *f = file->private_data;
	struct qr_answer answer;
	int err;

	if (snap->kind >= QUARRY_DEV_KINDS || snap->format >= QUARRY_DEV_FORMATS ||
	    snap->flags & ~QUARRY_DEV_DRAIN || snap->reserved0 || !IS_ZERO(snap->reserved) ||
	    !is_domain(snap->domain, only_quarry))
		return -EINVAL;
	err = drain_if(snap->flags, &snap->drained) ?: qr_session_make(f->session, &req, &answer);
	if (err)
		return err;
	rewind_file(file);
	snap->size = answer.size;
	snap->time_ns = answer.time_ns;
	return 0;
}

static int ioc_snapshot(struct file *file, union dev_arg *a)
{
	return profile(file, &a->snapshot, false);
}

static int ioc_delta(struct file *file, union dev_arg *a)
{
	return profile(file, &a->snapshot, true);
}

static int check_action(const struct quarry_dev_action *action, u32 allowed, bool only_quarry)
{
	if (action->flags & ~allowed || !IS_ZERO(action->reserved) ||
	    !is_domain(action->domain, only_quarry || action->flags))
		return -EINVAL;
	return 0;
}

static void done(struct quarry_dev_action *action, u64 size, u64 time_ns)
{
	action->size = size;
	action->time_ns = time_ns;
}

/* Makes no result, so the file's position stays. */
static int ioc_mark(struct file *file, union dev_arg *a)
{
	struct dev_file *f = file->private_data;
	struct qr_answer answer;
	int err = check_action(&a->action, QUARRY_DEV_DRAIN, false);

	if (err)
		return err;
	err = drain_if(a->action.flags, &a->action.drained) ?:
		      qr_session_begin(f->session, a->action.domain, &answer);
	if (!err)
		done(&a->action, 0, answer.time_ns);
	return err;
}

static int ioc_heapdump(struct file *file, union dev_arg *a)
{
	struct dev_file *f = file->private_data;
	struct qr_answer answer;
	int err = check_action(&a->action, QUARRY_DEV_DRAIN, true);

	if (err)
		return err;
	err = drain_if(a->action.flags, &a->action.drained) ?: qr_session_dump(f->session, &answer);
	if (err)
		return err;
	rewind_file(file);
	done(&a->action, answer.size, answer.time_ns);
	return 0;
}

static int ioc_drain(struct file *file, union dev_arg *a)
{
	int err = check_action(&a->action, 0, true) ?: may_change();

	if (err)
		return err;
	a->action.drained = qr_drain_all();
	done(&a->action, 0, ktime_get_real_ns());
	return 0;
}

static int ioc_reset(struct file *file, union dev_arg *a)
{
	int err = check_action(&a->action, QUARRY_DEV_DRAIN, false);

	if (err)
		return err;
	if (!(file->f_mode & FMODE_WRITE))
		return -EBADF;
	err = may_change() ?: drain_if(a->action.flags, &a->action.drained);
	if (err)
		return err;
	if (a->action.domain == QUARRY_DEV_DOMAIN_QUARRY)
		qr_profile_reset();
	else
		qr_domain_reset(a->action.domain);
	done(&a->action, 0, ktime_get_real_ns());
	return 0;
}

/* Programs see two errors; the log has the kernel's own. */
static int domain_enable(u32 domain, bool on)
{
	int err = qr_domain_enable(domain, on);

	return !err || err == -ENOMEM ? err : -EOPNOTSUPP;
}

static int ioc_domain(struct file *file, union dev_arg *a)
{
	bool set = a->domain.flags & QUARRY_DEV_DOMAIN_SET;
	struct quarry_dev_domain *d = &a->domain;
	struct quarry_domain_stats st;
	int err;

	if (!is_domain(d->domain, false) || d->domain == QUARRY_DEV_DOMAIN_QUARRY ||
	    d->flags & ~QUARRY_DEV_DOMAIN_SET || (set && d->enabled > 1) || !IS_ZERO(d->reserved))
		return -EINVAL;
	if (set) {
		if (!(file->f_mode & FMODE_WRITE))
			return -EBADF;
		err = may_change() ?: domain_enable(d->domain, d->enabled);
		if (err)
			return err;
	}
	qr_domain_stats_read(d->domain, &st);
	*d = (struct quarry_dev_domain){
		.domain = d->domain,
		.flags = d->flags,
		.enabled = st.enabled,
		.rate = st.sample_rate_bytes,
		.samples = st.samples,
		.live_samples = st.live_samples,
		.live_bytes = st.sampled_live_bytes,
		.dropped_samples = st.dropped_samples,
		.dropped_bytes = st.dropped_bytes,
		.other_samples = st.other_samples,
		.missed_frees = st.missed_frees,
		.late_frees = st.late_frees,
		.unknown_frees = st.unknown_frees,
		.missed_calls = st.missed_calls,
		.table_samples = st.table_samples,
		.table_max_samples = st.table_max_samples,
		.sites = st.profile_sites,
		.max_sites = st.profile_max_sites,
		.memory_bytes = st.memory_bytes,
	};
	strscpy(d->name, qr_domain_name(d->domain), sizeof(d->name));
	return 0;
}

static int ioc_misuse(struct file *file, union dev_arg *a)
{
	return qr_dev_misuse(&a->misuse);
}

static int ioc_ring(struct file *file, union dev_arg *a)
{
	struct dev_file *f = file->private_data;
	struct quarry_dev_ring *ring = &a->ring;
	long size;

	if (!is_power_of_2(ring->records) || ring->records > QR_RING_MAX ||
	    ring->flags & ~QUARRY_DEV_RING_FREES || ring->reserved0 || !IS_ZERO(ring->reserved))
		return -EINVAL;
	size = qr_ring_start(f->ring, ring->records, ring->flags);
	if (size < 0)
		return size;
	ring->record_size = sizeof(struct quarry_event_record);
	ring->size = size;
	ring->data_offset = PAGE_SIZE;
	return 0;
}

static const struct {
	unsigned int cmd;
	int (*run)(struct file *file, union dev_arg *a);
} ioctls[] = {
	{ QUARRY_IOC_INFO, ioc_info },	       { QUARRY_IOC_RATE, ioc_rate },
	{ QUARRY_IOC_SNAPSHOT, ioc_snapshot }, { QUARRY_IOC_MARK, ioc_mark },
	{ QUARRY_IOC_DELTA, ioc_delta },       { QUARRY_IOC_DRAIN, ioc_drain },
	{ QUARRY_IOC_RESET, ioc_reset },       { QUARRY_IOC_HEAPDUMP, ioc_heapdump },
	{ QUARRY_IOC_RING, ioc_ring },	       { QUARRY_IOC_DOMAIN, ioc_domain },
	{ QUARRY_IOC_MISUSE, ioc_misuse },
};

static long dev_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	void __user *user = (void __user *)arg;
	union dev_arg a;
	int i, err;

	for (i = 0; i < ARRAY_SIZE(ioctls) && ioctls[i].cmd != cmd; i++)
		;
	if (i == ARRAY_SIZE(ioctls))
		return -ENOTTY;
	if (copy_from_user(&a, user, _IOC_SIZE(cmd)))
		return -EFAULT;
	err = ioctls[i].run(file, &a);
	if (!err && copy_to_user(user, &a, _IOC_SIZE(cmd)))
		err = -EFAULT;
	return err;
}

static ssize_t dev_read(struct file *file, char __user *buf, size_t len, loff_t *pos)
{
	struct dev_file *f = file->private_data;

	return qr_session_read(f->session, buf, len, pos);
}

static loff_t dev_llseek(struct file *file, loff_t offset, int whence)
{
	struct dev_file *f = file->private_data;
	ssize_t size = qr_session_size(f->session);

	return size < 0 ? size : fixed_size_llseek(file, offset, whence, size);
}

static __poll_t dev_poll(struct file *file, poll_table *wait)
{
	struct dev_file *f = file->private_data;

	return qr_ring_poll(f->ring, file, wait);
}

static int dev_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct dev_file *f = file->private_data;

	return qr_ring_mmap(f->ring, vma);
}

static void dev_file_free(struct dev_file *f)
{
	qr_ring_free(f->ring);
	qr_session_close(f->session);
	qr_meta_free(f, sizeof(*f));
}

static int dev_open(struct inode *inode, struct file *file)
{
	struct dev_file *f;

	if (!perfmon_capable())
		return -EPERM;
	f = qr_meta_alloc(sizeof(*f), GFP_KERNEL, NUMA_NO_NODE);
	if (!f)
		return -ENOMEM;
	f->session = qr_session_open(QUARRY_CACHE_ALL);
	f->ring = qr_ring_new();
	if (!f->session || !f->ring) {
		dev_file_free(f);
		return -ENOMEM;
	}
	file->private_data = f;
	return 0;
}

static int dev_release(struct inode *inode, struct file *file)
{
	dev_file_free(file->private_data);
	return 0;
}

static const struct file_operations dev_fops = {
	.owner = THIS_MODULE,
	.open = dev_open,
	.release = dev_release,
	.read = dev_read,
	.llseek = dev_llseek,
	.poll = dev_poll,
	.mmap = dev_mmap,
	.unlocked_ioctl = dev_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
};

static struct miscdevice dev = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "quarry",
	.fops = &dev_fops,
	.mode = 0600,
};

int qr_chardev_init(void)
{
	return misc_register(&dev);
}

void qr_chardev_exit(void)
{
	misc_deregister(&dev);
}
