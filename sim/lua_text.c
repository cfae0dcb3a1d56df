#include "sim/lua_text.h"

#include <string.h>

void lua_text_string(FILE *file, const char *text)
{
    fputc('"', file);
    for (const unsigned char *at = (const unsigned char *)text; *at != '\0'; at++) {
        if (*at == '"' || *at == '\\') {
            fprintf(file, "\\%c", *at);
        } else if (*at < ' ' || *at == 0x7F) {
            fprintf(file, "\\%03u", *at);
        } else {
            fputc(*at, file);
        }
    }
    fputc('"', file);
}

void lua_text_comment(FILE *file, const char *indent, const char *text)
{
    while (*text != '\0') {
        const size_t length = strcspn(text, "\n");
        fprintf(file, "%s--%s%.*s\n", indent, length > 0 ? " " : "", (int)length, text);
        text += length + (text[length] == '\n' ? 1 : 0);
    }
}
