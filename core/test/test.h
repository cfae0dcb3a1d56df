/* The whole test framework: a test is a function whose name is a sentence.
 * EXPECT stops the program at the first failure and says where; CTest shows the rest. */
#ifndef BROWNOUT_TEST_H
#define BROWNOUT_TEST_H

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define EXPECT(condition)                                                                          \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: expected: %s\n", __FILE__, __LINE__, #condition);              \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)

#define EXPECT_EQUAL(left, right)                                                                  \
    do {                                                                                           \
        const long long left_ = (long long)(left), right_ = (long long)(right);                    \
        if (left_ != right_) {                                                                     \
            fprintf(stderr, "%s:%d: %s is %lld, expected %s = %lld\n", __FILE__, __LINE__, #left,  \
                    left_, #right, right_);                                                        \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)

#define RUN(test)                                                                                  \
    do {                                                                                           \
        test();                                                                                    \
        printf("ok %s\n", #test);                                                                  \
    } while (0)

#endif
