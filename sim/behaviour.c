#include "sim/behaviour.h"

#include <string.h>

#include "core/cbor.h"
#include "core/check.h"

void behaviour_write(const struct behaviour *behaviour, uint8_t bytes[BEHAVIOUR_BYTES])
{
    struct cbor_writer writer;
    uint32_t size_bytes;
    CHECK(behaviour->defect < BEHAVIOUR_COUNT);
    memset(bytes, 0, BEHAVIOUR_BYTES);
    cbor_write(&writer, bytes, BEHAVIOUR_BYTES);
    cbor_put_array(&writer, 3);
    cbor_put_uint(&writer, behaviour->version);
    cbor_put_uint(&writer, behaviour->protocol);
    cbor_put_uint(&writer, behaviour->defect);
    const enum err err = cbor_finish(&writer, &size_bytes);
    CHECK(err == ERR_OK);
}

bool behaviour_read(const uint8_t bytes[BEHAVIOUR_BYTES], struct behaviour *behaviour)
{
    struct cbor_reader reader;
    cbor_read(&reader, bytes, BEHAVIOUR_BYTES);
    cbor_get_array(&reader, 3);
    behaviour->version = cbor_get_u32(&reader);
    behaviour->protocol = cbor_get_u32(&reader);
    const uint32_t defect = cbor_get_u32(&reader);
    behaviour->defect = defect < BEHAVIOUR_COUNT ? (enum behaviour_defect)defect : BEHAVIOUR_NONE;
    return reader.err == ERR_OK && defect < BEHAVIOUR_COUNT &&
           behaviour->protocol == BEHAVIOUR_PROTOCOL; /* the rest of the record is padding */
}
