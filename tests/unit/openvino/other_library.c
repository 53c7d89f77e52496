/* A library that has some of OpenVINO's functions, as one of another version would. */
__attribute__((visibility("default"))) const char *ov_get_error_info(int status);
__attribute__((visibility("default"))) const char *ov_get_last_err_msg(void);
__attribute__((visibility("default"))) int ov_get_openvino_version(void *out_version);

const char *ov_get_error_info(int status) { return status ? "wrong" : "right"; }
const char *ov_get_last_err_msg(void) { return ""; }
int ov_get_openvino_version(void *out_version) { return out_version ? 0 : -1; }
