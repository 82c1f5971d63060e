// The SDK logs through the package "debug"; this page needs none of it.
const silent = () => {
  const log = () => {};
  log.extend = silent;
  log.enabled = false;
  return log;
};
export default silent;
