/* The functions of libhdf5 (1.10 and later) that this plug-in calls, with prototypes of our own. The library is opened
 * on first use and is not thread-safe as distributions build it: hold hdf5_lock around every call. */
#ifndef TENSORFLOW_HDF5_API_H
#define TENSORFLOW_HDF5_API_H

#include <kenning/plugin.h>

typedef int64_t hdf5_id; /* hid_t */

enum {
  HDF5_DEFAULT = 0,       /* H5P_DEFAULT, H5S_ALL, H5E_DEFAULT */
  HDF5_READ_ONLY = 0,     /* H5F_ACC_RDONLY */
  HDF5_TRUNCATE = 2,      /* H5F_ACC_TRUNC */
  HDF5_SCALAR = 0,        /* H5S_SCALAR */
  HDF5_CLASS_INTEGER = 0, /* H5T_INTEGER */
  HDF5_CLASS_FLOAT = 1,   /* H5T_FLOAT */
  HDF5_CLASS_STRING = 3,  /* H5T_STRING */
  HDF5_UTF8 = 1,          /* H5T_CSET_UTF8 */
  HDF5_UPWARD = 0         /* H5E_WALK_UPWARD: from the innermost error */
};
#define HDF5_VARIABLE ((size_t)-1) /* H5T_VARIABLE */

typedef struct hdf5_error { /* H5E_error2_t */
  hdf5_id class_id, major, minor;
  unsigned line;
  const char *function, *file, *description;
} hdf5_error;
typedef int (*hdf5_error_walk)(unsigned index, const hdf5_error *error, void *context);

/* Result, name, parameters. Negative results are failures. */
#define HDF5_FUNCTIONS(X)                                                                                             \
  X(int, H5open, (void))                                                                                              \
  X(int, H5get_libversion, (unsigned *major, unsigned *minor, unsigned *release))                                     \
  X(int, H5Eset_auto2, (hdf5_id stack, void *function, void *context))                                                \
  X(int, H5Ewalk2, (hdf5_id stack, int direction, hdf5_error_walk function, void *context))                           \
  X(hdf5_id, H5Fopen, (const char *path, unsigned flags, hdf5_id access))                                             \
  X(hdf5_id, H5Fcreate, (const char *path, unsigned flags, hdf5_id creation, hdf5_id access))                         \
  X(int, H5Fclose, (hdf5_id file))                                                                                    \
  X(int, H5Lexists, (hdf5_id place, const char *name, hdf5_id access))                                                \
  X(hdf5_id, H5Gcreate2, (hdf5_id place, const char *name, hdf5_id link, hdf5_id creation, hdf5_id access))           \
  X(int, H5Gclose, (hdf5_id group))                                                                                   \
  X(int, H5Aexists_by_name, (hdf5_id place, const char *object, const char *name, hdf5_id access))                    \
  X(hdf5_id, H5Aopen_by_name,                                                                                         \
    (hdf5_id place, const char *object, const char *name, hdf5_id attribute_access, hdf5_id link_access))             \
  X(hdf5_id, H5Acreate_by_name,                                                                                       \
    (hdf5_id place, const char *object, const char *name, hdf5_id type, hdf5_id space, hdf5_id creation,              \
     hdf5_id access, hdf5_id link_access))                                                                            \
  X(hdf5_id, H5Aget_space, (hdf5_id attribute))                                                                       \
  X(hdf5_id, H5Aget_type, (hdf5_id attribute))                                                                        \
  X(int, H5Aread, (hdf5_id attribute, hdf5_id type, void *buffer))                                                    \
  X(int, H5Awrite, (hdf5_id attribute, hdf5_id type, const void *buffer))                                             \
  X(int, H5Aclose, (hdf5_id attribute))                                                                               \
  X(hdf5_id, H5Screate, (int kind))                                                                                   \
  X(hdf5_id, H5Screate_simple, (int rank, const uint64_t *dims, const uint64_t *max_dims))                            \
  X(int, H5Sget_simple_extent_ndims, (hdf5_id space))                                                                 \
  X(int, H5Sget_simple_extent_dims, (hdf5_id space, uint64_t * dims, uint64_t * max_dims))                            \
  X(int64_t, H5Sget_simple_extent_npoints, (hdf5_id space))                                                           \
  X(int, H5Sclose, (hdf5_id space))                                                                                   \
  X(hdf5_id, H5Tcopy, (hdf5_id type))                                                                                 \
  X(int, H5Tset_size, (hdf5_id type, size_t size))                                                                    \
  X(int, H5Tset_cset, (hdf5_id type, int cset))                                                                       \
  X(int, H5Tget_cset, (hdf5_id type))                                                                                 \
  X(int, H5Tget_class, (hdf5_id type))                                                                                \
  X(size_t, H5Tget_size, (hdf5_id type))                                                                              \
  X(int, H5Tis_variable_str, (hdf5_id type))                                                                          \
  X(int, H5Tclose, (hdf5_id type))                                                                                    \
  X(hdf5_id, H5Dopen2, (hdf5_id place, const char *name, hdf5_id access))                                             \
  X(hdf5_id, H5Dcreate2,                                                                                              \
    (hdf5_id place, const char *name, hdf5_id type, hdf5_id space, hdf5_id link, hdf5_id creation, hdf5_id access))   \
  X(hdf5_id, H5Dget_space, (hdf5_id dataset))                                                                         \
  X(hdf5_id, H5Dget_type, (hdf5_id dataset))                                                                          \
  X(uint64_t, H5Dget_storage_size, (hdf5_id dataset))                                                                 \
  X(int, H5Dread,                                                                                                     \
    (hdf5_id dataset, hdf5_id memory_type, hdf5_id memory_space, hdf5_id file_space, hdf5_id transfer, void *buffer)) \
  X(int, H5Dwrite,                                                                                                    \
    (hdf5_id dataset, hdf5_id memory_type, hdf5_id memory_space, hdf5_id file_space, hdf5_id transfer,                \
     const void *buffer))                                                                                             \
  X(int, H5Dvlen_reclaim, (hdf5_id type, hdf5_id space, hdf5_id transfer, void *buffer))                              \
  X(int, H5Dclose, (hdf5_id dataset))                                                                                 \
  X(int, H5Pset_fapl_core, (hdf5_id list, size_t increment, unsigned write_back))                                     \
  X(int, H5Pset_file_image, (hdf5_id list, void *image, size_t bytes))                                                \
  X(hdf5_id, H5Pcreate, (hdf5_id class_id))                                                                           \
  X(int, H5Pset_create_intermediate_group, (hdf5_id list, unsigned create))                                           \
  X(int, H5Pset_obj_track_times, (hdf5_id list, bool track))                                                          \
  X(int, H5Pclose, (hdf5_id list))

/* Identifiers that the library makes in H5open. */
#define HDF5_VARIABLES(X)     \
  X(H5T_C_S1_g)               \
  X(H5T_NATIVE_FLOAT_g)       \
  X(H5T_IEEE_F32LE_g)         \
  X(H5P_CLS_LINK_CREATE_ID_g) \
  X(H5P_CLS_FILE_ACCESS_ID_g) \
  X(H5P_CLS_DATASET_CREATE_ID_g)

typedef struct hdf5_api {
#define HDF5_SLOT(type, name, parameters) type(*name) parameters;
  HDF5_FUNCTIONS(HDF5_SLOT)
#undef HDF5_SLOT
#define HDF5_SLOT(name) hdf5_id name;
  HDF5_VARIABLES(HDF5_SLOT)
#undef HDF5_SLOT
} hdf5_api;

/* Opens libhdf5 once per process. KN_NOT_INSTALLED names the package. */
kn_status hdf5_api_open(const hdf5_api **out_api) KN_MUST_USE;

void hdf5_lock(void);
void hdf5_unlock(void);

/* The innermost error of the last failed call in the library's own words; call it before any other function of the
 * library. Writes into `out` and returns it. */
const char *hdf5_words(const hdf5_api *library, char *out, size_t size);

#endif
