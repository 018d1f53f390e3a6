/* Writes curves for TensorBoard into an event file. The file consists of TFRecord records. Each
   record holds one Event protobuf. The first event has the version, and each later one a scalar
   (tensorflow: core/lib/io/record_writer.h, core/util/event.proto, core/framework/summary.proto).

       tensorboard tb;
       if (!tensorboard_open(&tb, "runs/pong", "rise")) perror(tb.path);
       tensorboard_scalar(&tb, "score", steps, score, (double)time(NULL));
       if (!tensorboard_close(&tb)) perror(tb.path);
*/
#ifndef TENSORBOARD_H
#define TENSORBOARD_H

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* largest sizes, in bytes */
enum { TENSORBOARD_PATH = 1024, TENSORBOARD_TAG = 256, TENSORBOARD_EVENT = 512 };

typedef struct tensorboard {
    FILE *file;
    int good;                    /* 0: a write has failed, and nothing more is written */
    char path[TENSORBOARD_PATH]; /* of the file */
} tensorboard;

/* A message in the protobuf wire format. Each field begins with its number * 8 + its wire type. */
typedef struct tensorboard_message {
    uint8_t bytes[TENSORBOARD_EVENT];
    size_t size;
} tensorboard_message;

/* wire types */
enum { TENSORBOARD_VARINT = 0, TENSORBOARD_64 = 1, TENSORBOARD_BYTES = 2, TENSORBOARD_32 = 5 };

/* Appends the lowest `bytes` bytes of a value, lowest byte first. */
static inline void tensorboard_put(tensorboard_message *m, int bytes, uint64_t value)
{
    for (; bytes > 0; bytes--, value >>= 8) m->bytes[m->size++] = (uint8_t)(value & 255u);
}
static inline void tensorboard_put_varint(tensorboard_message *m, uint64_t value)
{
    for (; value > 127; value >>= 7) tensorboard_put(m, 1, (value & 127u) | 128u);
    tensorboard_put(m, 1, value);
}
static inline void tensorboard_put_bytes(tensorboard_message *m, int field, const void *bytes,
                                         size_t size)
{
    tensorboard_put_varint(m, (uint64_t)(8 * field + TENSORBOARD_BYTES));
    tensorboard_put_varint(m, size);
    memcpy(m->bytes + m->size, bytes, size);
    m->size += size;
}
static inline void tensorboard_put_double(tensorboard_message *m, int field, double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    tensorboard_put_varint(m, (uint64_t)(8 * field + TENSORBOARD_64));
    tensorboard_put(m, 8, bits);
}
static inline void tensorboard_put_float(tensorboard_message *m, int field, float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    tensorboard_put_varint(m, (uint64_t)(8 * field + TENSORBOARD_32));
    tensorboard_put(m, 4, bits);
}

/* Returns the CRC-32C (Castagnoli; RFC 3720, appendix B.4). TFRecords store the CRC in the
   masked form below, because a CRC of data that contains a CRC detects fewer errors. */
static inline uint32_t tensorboard_crc(const uint8_t *bytes, size_t size)
{
    uint32_t crc = 0xFFFFFFFFu;
    int i;
    while (size-- > 0)
        for (crc ^= *bytes++, i = 0; i < 8; i++) crc = crc >> 1 ^ (crc % 2 != 0 ? 0x82F63B78u : 0);
    return ~crc;
}
static inline uint32_t tensorboard_masked_crc(const uint8_t *bytes, size_t size)
{
    uint32_t const crc = tensorboard_crc(bytes, size);
    return (crc >> 15 | crc << 17) + 0xA282EAD8u;
}

/* Writes a record: length, CRC of the length, event, CRC of the event. Flushes the file, so that
   TensorBoard sees the record at once. Returns 0 if this write or an earlier one failed. */
static inline int tensorboard_write(tensorboard *tb, const tensorboard_message *event)
{
    tensorboard_message head, tail;
    head.size = tail.size = 0;
    tensorboard_put(&head, 8, event->size);
    tensorboard_put(&head, 4, tensorboard_masked_crc(head.bytes, 8));
    tensorboard_put(&tail, 4, tensorboard_masked_crc(event->bytes, event->size));
    tb->good = tb->good && fwrite(head.bytes, 1, head.size, tb->file) == head.size &&
               fwrite(event->bytes, 1, event->size, tb->file) == event->size &&
               fwrite(tail.bytes, 1, tail.size, tb->file) == tail.size && fflush(tb->file) == 0;
    return tb->good;
}

/* Sets tb->path to a file that does not exist yet: another session may have begun in the same
   second. Returns 0 if the path is too long. */
static inline int tensorboard_path(tensorboard *tb, const char *folder, time_t now,
                                   const char *name)
{
    FILE *other;
    for (;; now++) {
        int const size = snprintf(tb->path, sizeof tb->path, "%s/events.out.tfevents.%010lld.%s",
                                  folder, (long long)now, name);
        errno = ENAMETOOLONG;
        if (size < 0 || size >= TENSORBOARD_PATH) return 0;
        other = fopen(tb->path, "rb");
        if (other == NULL) return 1;
        fclose(other);
    }
}

/* Begins the file folder/events.out.tfevents.<seconds since 1970>.<name>; `folder` must exist. If
   the file exists, takes the next second that is free. Returns 0 if the file cannot be written;
   errno says why. */
static inline int tensorboard_open(tensorboard *tb, const char *folder, const char *name)
{
    static const char version[] = "brain.Event:2";
    time_t const now = time(NULL);
    tensorboard_message event;
    event.size = 0;
    tb->file = tensorboard_path(tb, folder, now, name) ? fopen(tb->path, "wb") : NULL;
    tb->good = tb->file != NULL;
    tensorboard_put_double(&event, 1, (double)now);             /* Event.wall_time */
    tensorboard_put_bytes(&event, 3, version, strlen(version)); /* Event.file_version */
    if (!tensorboard_write(tb, &event) && tb->file != NULL) {
        int const why = errno;
        fclose(tb->file);
        remove(tb->path);
        tb->file = NULL;
        errno = why;
    }
    return tb->good;
}

/* Appends a point to the curve `tag`; `wall_time` is in seconds since 1970. Returns 0 if `tag` is
   too long, or if this write or an earlier one failed. */
static inline int tensorboard_scalar(tensorboard *tb, const char *tag, int64_t step, double value,
                                     double wall_time)
{
    tensorboard_message event, summary, scalar;
    event.size = summary.size = scalar.size = 0;
    if (strlen(tag) > TENSORBOARD_TAG) return 0;
    tensorboard_put_bytes(&scalar, 1, tag, strlen(tag)); /* Summary.Value.tag */
    /* Summary.Value.simple_value */
    tensorboard_put_float(&scalar, 2, (float)value);
    tensorboard_put_bytes(&summary, 1, scalar.bytes, scalar.size); /* Summary.value */
    tensorboard_put_double(&event, 1, wall_time);
    tensorboard_put_varint(&event, 2 * 8 + TENSORBOARD_VARINT); /* Event.step */
    tensorboard_put_varint(&event, (uint64_t)step);
    tensorboard_put_bytes(&event, 5, summary.bytes, summary.size); /* Event.summary */
    return tensorboard_write(tb, &event);
}

/* Closes the file. Returns 0 if a write has failed. */
static inline int tensorboard_close(tensorboard *tb)
{
    if (tb->file != NULL && fclose(tb->file) != 0) tb->good = 0;
    tb->file = NULL;
    return tb->good;
}

#endif
