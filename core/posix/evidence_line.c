#include "core/posix/evidence_line.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/check.h"

enum { WORD_BYTES_MAX = 16, DIGITS_MAX = 20, BODY_DIGITS = 32 };

static const char *const names[EVIDENCE_WORD_END] = {
#define NAME_OF(NAME, Name) #NAME,
    EVIDENCE_LIST(NAME_OF)
#undef NAME_OF
#define NAME_OF(NAME, word) word,
        EVIDENCE_WORD_LIST(NAME_OF)
#undef NAME_OF
};

static const char *const roles[] = {"device", "gateway", "cloud"};

/* What is left of a line. */
struct cursor {
    const char *at, *end;
};

const char *evidence_word(uint32_t kind)
{
    return kind < EVIDENCE_WORD_END ? names[kind] : NULL;
}

const char *evidence_role_name(enum evidence_role role)
{
    return roles[role];
}

uint32_t evidence_header_print(const struct evidence_header *header,
                               char text[EVIDENCE_HEADER_BYTES_MAX])
{
    const int size =
        snprintf(text, EVIDENCE_HEADER_BYTES_MAX,
                 "brownout-evidence %d role=%s node=%" PRIu32 " window=%" PRIu32 " outbox=%" PRIu32
                 " reserve=%" PRIu32 " queue=%" PRIu32 " sample_us=%" PRIu64 "\n",
                 EVIDENCE_FORMAT, roles[header->role], header->node, header->window, header->outbox,
                 header->reserve, header->queue, header->sample_us);
    CHECK(size > 0 && size < EVIDENCE_HEADER_BYTES_MAX);
    return (uint32_t)size;
}

uint32_t evidence_line_print(const struct evidence_line *line, char text[EVIDENCE_LINE_BYTES_MAX])
{
    char body[BODY_DIGITS + 1] = "-";
    CHECK(line->kind < EVIDENCE_WORD_END);
    if ((line->body[0] | line->body[1]) != 0) {
        snprintf(body, sizeof body, "%016" PRIx64 "%016" PRIx64, line->body[0], line->body[1]);
    }
    const int size =
        snprintf(text, EVIDENCE_LINE_BYTES_MAX,
                 "%" PRIu64 " %" PRIu64 " %s %" PRIu32 " %" PRIu32 " %" PRIu64 " %" PRIu64 " %s\n",
                 line->time_us, line->step, names[line->kind], line->device, line->epoch,
                 line->counter, line->value, body);
    CHECK(size > 0 && size < EVIDENCE_LINE_BYTES_MAX);
    return (uint32_t)size;
}

/* ---- Reading --------------------------------------------------------------------------------- */

static bool take_text(struct cursor *cursor, const char *text)
{
    const size_t size = strlen(text);
    if ((size_t)(cursor->end - cursor->at) < size || memcmp(cursor->at, text, size) != 0) {
        return false;
    }
    cursor->at += size;
    return true;
}

static bool take_number(struct cursor *cursor, uint64_t max, uint64_t *number)
{
    const char *first = cursor->at;
    *number = 0;
    while (cursor->at < cursor->end && *cursor->at >= '0' && *cursor->at <= '9') {
        const uint64_t digit = (uint64_t)(*cursor->at - '0');
        if (*number > (max - digit) / 10 || cursor->at - first >= DIGITS_MAX) {
            return false;
        }
        *number = *number * 10 + digit;
        cursor->at++;
    }
    return cursor->at > first && (*first != '0' || cursor->at == first + 1);
}

static bool take_u32(struct cursor *cursor, uint32_t *number)
{
    uint64_t wide;
    const bool good = take_number(cursor, UINT32_MAX, &wide);
    *number = (uint32_t)wide;
    return good;
}

static bool take_kind(struct cursor *cursor, uint32_t *kind)
{
    const char *space = memchr(cursor->at, ' ', (size_t)(cursor->end - cursor->at));
    const size_t size = space == NULL ? 0 : (size_t)(space - cursor->at);
    if (size == 0 || size > WORD_BYTES_MAX) {
        return false;
    }
    for (uint32_t i = 0; i < EVIDENCE_WORD_END; i++) {
        if (strlen(names[i]) == size && memcmp(names[i], cursor->at, size) == 0) {
            *kind = i;
            cursor->at = space;
            return true;
        }
    }
    return false;
}

static bool take_hex(struct cursor *cursor, uint64_t *number)
{
    *number = 0;
    for (int i = 0; i < BODY_DIGITS / 2; i++) {
        static const char digits[] = "0123456789abcdef";
        const char *digit =
            cursor->at < cursor->end && *cursor->at != '\0' ? strchr(digits, *cursor->at) : NULL;
        if (digit == NULL) {
            return false;
        }
        *number = *number << 4 | (uint64_t)(digit - digits);
        cursor->at++;
    }
    return true;
}

/* An all-zero body is written as none. */
static bool take_body(struct cursor *cursor, uint64_t body[2])
{
    body[0] = body[1] = 0;
    if (take_text(cursor, "-")) {
        return true;
    }
    return take_hex(cursor, &body[0]) && take_hex(cursor, &body[1]) && (body[0] | body[1]) != 0;
}

static bool take_role(struct cursor *cursor, enum evidence_role *role)
{
    for (unsigned i = 0; i < sizeof roles / sizeof roles[0]; i++) {
        if (take_text(cursor, roles[i])) {
            *role = (enum evidence_role)i;
            return true;
        }
    }
    return false;
}

bool evidence_header_parse(const char *text, size_t size_bytes, struct evidence_header *header,
                           const char **why)
{
    struct cursor cursor = {text, text + size_bytes};
    uint64_t format;
    memset(header, 0, sizeof *header);
    *why = "it does not begin with \"brownout-evidence\": it is no evidence log";
    if (!take_text(&cursor, "brownout-evidence ")) {
        return false;
    }
    *why = "its format is not 1: another version of this program wrote it";
    if (!take_number(&cursor, UINT32_MAX, &format) || format != EVIDENCE_FORMAT) {
        return false;
    }
    *why = "its header is damaged";
    return take_text(&cursor, " role=") && take_role(&cursor, &header->role) &&
           take_text(&cursor, " node=") && take_u32(&cursor, &header->node) && header->node >= 1 &&
           take_text(&cursor, " window=") && take_u32(&cursor, &header->window) &&
           take_text(&cursor, " outbox=") && take_u32(&cursor, &header->outbox) &&
           take_text(&cursor, " reserve=") && take_u32(&cursor, &header->reserve) &&
           take_text(&cursor, " queue=") && take_u32(&cursor, &header->queue) &&
           take_text(&cursor, " sample_us=") &&
           take_number(&cursor, UINT64_MAX, &header->sample_us) && cursor.at == cursor.end;
}

bool evidence_line_parse(const char *text, size_t size_bytes, struct evidence_line *line,
                         const char **why)
{
    struct cursor cursor = {text, text + size_bytes};
    memset(line, 0, sizeof *line);
    *why = "the line is too long";
    if (size_bytes >= EVIDENCE_LINE_BYTES_MAX) {
        return false;
    }
    *why = "the line begins with no time and step";
    if (!take_number(&cursor, UINT64_MAX, &line->time_us) || !take_text(&cursor, " ") ||
        !take_number(&cursor, UINT64_MAX, &line->step) || !take_text(&cursor, " ")) {
        return false;
    }
    *why = "nobody says evidence of that name";
    if (!take_kind(&cursor, &line->kind)) {
        return false;
    }
    *why = "a number or the body is damaged";
    return take_text(&cursor, " ") && take_u32(&cursor, &line->device) && take_text(&cursor, " ") &&
           take_u32(&cursor, &line->epoch) && take_text(&cursor, " ") &&
           take_number(&cursor, UINT64_MAX, &line->counter) && take_text(&cursor, " ") &&
           take_number(&cursor, UINT64_MAX, &line->value) && take_text(&cursor, " ") &&
           take_body(&cursor, line->body) && cursor.at == cursor.end;
}

enum err evidence_body(const struct port_crypto *crypto, const uint8_t *bytes, uint32_t size_bytes,
                       uint64_t body[2])
{
    uint8_t digest[DIGEST_BYTES];
    body[0] = body[1] = 0;
    const enum err err = crypto->sha256(crypto->ctx, bytes, size_bytes, digest);
    for (int i = 0; err == ERR_OK && i < 16; i++) {
        body[i / 8] = body[i / 8] << 8 | digest[i];
    }
    return err;
}
